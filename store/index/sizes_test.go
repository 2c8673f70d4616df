package index_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/index"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// madeWith makes an index of some sizes from records with one key each, of which the first begins the log.
func madeWith(t require.TestingT, w *world, sizes index.Sizes, hashes []int32) {
	w.do(t, func(disk env.Disk) error {
		x, err := index.Open(disk, index.Options{Sizes: sizes})
		require.NoError(t, err)
		var log journal
		for n, hash := range hashes {
			log.write(int64(n)*300, hash)
		}
		return errors.Join(log.feed(x, log.end(), 1_700_000_000_000), x.Save(), x.Close())
	})
}

// usual are sizes that an index was not made with.
var usual = index.Sizes{Slots: 900, Items: 700}

func TestTheSizesOfAnIndexAreFoundInItsFiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := index.Sizes{Slots: rapid.Int32Range(1, 3000).Draw(t, "slots"), Items: rapid.Int32Range(9, 400).Draw(t, "items")}
		hashes := rapid.SliceOfN(rapid.Int32Range(1, 1<<30), 8, 60).Draw(t, "hashes")
		w := newWorld(1)
		defer w.kernel.Close()
		madeWith(t, w, sizes, hashes)
		w.do(t, func(disk env.Disk) error {
			found, ok, err := index.SizesOf(disk, usual)
			require.NoError(t, err)
			require.True(t, ok)
			if found != sizes {
				// Few items may fit other numbers of slots, and then they are found with those just as well.
				require.NoError(t, verify(disk, found), "%v, found %v", sizes, found)
			}
			require.NoError(t, index.Fits(disk, sizes))
			return nil
		})
	})
}

func TestAnIndexOfOtherSizesIsForeignAndItsSizesAreNamed(t *testing.T) {
	made := index.Sizes{Slots: 100, Items: 60}
	hashes := []int32{5, 105, 7, 9, 12345, 77777, 1 << 30, 33, 44, 2100}
	for _, other := range []index.Sizes{{Slots: 5_000_000, Items: 20_000_000}, {Slots: 100, Items: 50}, {Slots: 90, Items: 900}, {Slots: 900, Items: 60}, {Slots: 1, Items: 2}} {
		w := newWorld(1)
		w.calls = &calls{}
		madeWith(t, w, made, hashes)
		before := w.files()
		w.do(t, func(disk env.Disk) error {
			_, inspected := index.Inspect(disk, other)
			for _, err := range []error{inspected, index.Fits(disk, other), index.Foreign(disk, index.Options{Sizes: other, Clean: true})} {
				require.ErrorIs(t, err, index.ErrForeign, "%v", other)
				require.ErrorContains(t, err, "index/20")
				require.ErrorContains(t, err, "it was made with maxHashSlotNum 100 and maxIndexNum 60: set these")
			}
			return nil
		})
		require.Zero(t, w.calls.open)
		require.Equal(t, before, w.files())
		w.kernel.Close()
	}
}

// More items in one file than another size has room for, and the other way round: several files and one.
func TestSeveralFilesOfOtherSizesAreForeign(t *testing.T) {
	w := newWorld(1)
	defer w.kernel.Close()
	var hashes []int32
	for n := range int32(20) {
		hashes = append(hashes, 1+n*7919)
	}
	madeWith(t, w, index.Sizes{Slots: 50, Items: 9}, hashes)
	w.do(t, func(disk env.Disk) error {
		_, err := index.Inspect(disk, usual)
		require.ErrorContains(t, err, "it was made with maxHashSlotNum 50 and maxIndexNum 9: set these")
		return nil
	})
}

func TestAnIndexWhoseItemsFitNoSizesSaysSo(t *testing.T) {
	made := index.Sizes{Slots: 100, Items: 60}
	for _, at := range []int64{16, 24, 32, 440 + 20 + 4, 440 + 5*20 + 16} {
		w := newWorld(1)
		madeWith(t, w, made, []int32{5, 105, 7, 9, 12345, 77777})
		path := ""
		for name := range w.files() {
			path = name
		}
		w.do(t, func(disk env.Disk) error {
			require.NoError(t, patch(disk, path, at, []byte{0x01, 0x02}))
			_, ok, err := index.SizesOf(disk, usual)
			require.NoError(t, err)
			require.False(t, ok, "byte %d", at)
			_, inspected := index.Inspect(disk, usual)
			for _, err := range []error{inspected, index.Fits(disk, usual)} {
				require.ErrorIs(t, err, index.ErrForeign)
				require.ErrorContains(t, err, "no sizes are known that fit it: set the sizes")
			}
			return nil
		})
		w.kernel.Close()
	}
}

// A crash leaves a file shorter than it was to be. That is no reason to take it for one of other sizes.
func TestAShortFileIsNotTakenForOneOfOtherSizes(t *testing.T) {
	for size := range tiny.FileSize() {
		w := newWorld(1)
		w.do(t, func(disk env.Disk) error {
			require.NoError(t, put(disk, javaPath(0), make([]byte, size)))
			require.NoError(t, index.Foreign(disk, index.Options{Sizes: tiny}))
			require.NoError(t, index.Fits(disk, tiny))
			x, err := index.Inspect(disk, tiny)
			require.NoError(t, err, "%d bytes", size)
			_, ok, err := index.SizesOf(disk, tiny)
			require.NoError(t, err)
			require.False(t, ok, "it has no items")
			return x.Close()
		})
		w.kernel.Close()
	}
}

func TestForeignRefusesWhatOpenRefusesAndChangesNothing(t *testing.T) {
	for _, name := range []string{"index/notes.txt", "index/777", "index/.DS_Store"} {
		w := newWorld(1)
		madeWith(t, w, usual, []int32{1, 2, 3})
		w.do(t, func(disk env.Disk) error {
			require.NoError(t, index.Foreign(disk, index.Options{Sizes: usual, Clean: true}))
			require.NoError(t, put(disk, name, []byte("mine")))
			err := index.Foreign(disk, index.Options{Sizes: usual, Clean: true})
			require.ErrorIs(t, err, index.ErrForeign)
			_, opened := index.Open(disk, index.Options{Sizes: usual, Clean: true})
			require.Equal(t, fmt.Sprint(opened), fmt.Sprint(err))
			return nil
		})
		w.kernel.Close()
	}
}
