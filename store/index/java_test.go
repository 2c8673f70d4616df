package index_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store/index"
	"github.com/stretchr/testify/require"
)

// javaFile makes a file by the rules that a Java broker follows, written from the format table alone.
type javaFile struct {
	slots, items uint32
	bytes        []byte
}

// newJavaFile is an empty file. It takes over where the one before it ends.
func newJavaFile(sizes index.Sizes, before *javaFile) *javaFile {
	f := &javaFile{uint32(sizes.Slots), uint32(sizes.Items), make([]byte, 40+4*int(sizes.Slots)+20*int(sizes.Items))}
	if before != nil {
		for _, at := range []int{0, 8} {
			copy(f.bytes[at:at+8], before.bytes[8:16])
			copy(f.bytes[16+at:24+at], before.bytes[24:32])
		}
	}
	f.setWord(36, 1)
	return f
}

func (f *javaFile) word(at uint32) uint32    { return binary.BigEndian.Uint32(f.bytes[at:]) }
func (f *javaFile) setWord(at, value uint32) { binary.BigEndian.PutUint32(f.bytes[at:], value) }
func (f *javaFile) setLong(at uint32, value int64) {
	binary.BigEndian.PutUint64(f.bytes[at:], uint64(value))
}
func (f *javaFile) full() bool { return f.word(36) >= f.items }

func (f *javaFile) add(item index.Item) {
	count := f.word(36)
	if count <= 1 {
		f.setLong(0, item.StoredAt)
		f.setLong(16, int64(item.Log))
	}
	slot := 40 + 4*(uint32(item.Hash)%f.slots)
	begin := int64(binary.BigEndian.Uint64(f.bytes))
	at := 40 + 4*f.slots + 20*count
	f.setWord(at, uint32(item.Hash))
	f.setLong(at+4, int64(item.Log))
	f.setWord(at+12, uint32(max(item.StoredAt-begin, 0)/1000))
	f.setWord(at+16, f.word(slot))
	if f.word(slot) == 0 {
		f.setWord(32, f.word(32)+1)
	}
	f.setWord(slot, count)
	f.setWord(36, count+1)
	f.setLong(8, item.StoredAt)
	f.setLong(24, int64(item.Log))
}

// javaFiles are the files that a Java broker makes of items.
func javaFiles(sizes index.Sizes, items []index.Item) []*javaFile {
	var files []*javaFile
	for _, item := range items {
		if len(files) == 0 || files[len(files)-1].full() {
			var before *javaFile
			if len(files) > 0 {
				before = files[len(files)-1]
			}
			files = append(files, newJavaFile(sizes, before))
		}
		files[len(files)-1].add(item)
	}
	return files
}

// placeJava writes files to a disk, named by consecutive seconds.
func placeJava(disk env.Disk, files []*javaFile) error {
	var errs []error
	for i, f := range files {
		errs = append(errs, put(disk, javaPath(i), f.bytes))
	}
	return errors.Join(errs...)
}

func javaPath(i int) string { return fmt.Sprintf("index/20231114221320%03d", i) }

// noon is a wall time behind the names of javaPath.
var noon = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC).UnixMilli()

// busyLog has records with 0 to 3 keys, a second apart.
func busyLog(records int) *journal {
	j := &journal{}
	for i := range records {
		hashes := []int32{int32(i%7) + 100, int32(i * 31 % 50), 7}[:i%4]
		j.write(noon+int64(i)*1000, hashes...)
	}
	return j
}

// takeOver opens the directory of a Java broker, adds the rest of the log, and compares.
func takeOver(t *testing.T, j *journal, files []*javaFile, options index.Options, check func(x *index.Index)) {
	t.Helper()
	w := newWorld(1)
	defer w.kernel.Close()
	var mark index.Mark
	w.do(t, func(disk env.Disk) error {
		require.NoError(t, placeJava(disk, files))
		x, err := index.Open(disk, options)
		require.NoError(t, err)
		check(x)
		require.NoError(t, j.feed(x, j.end(), noon))
		require.NoError(t, j.expectAll(x, j.end()))
		require.NoError(t, x.Save())
		mark = x.Durable()
		return errors.Join(x.Close(), verify(disk, options.Sizes))
	})
	w.machine.Crash(sim.PowerLoss)
	w.do(t, func(disk env.Disk) error {
		x, err := index.Open(disk, index.Options{Sizes: options.Sizes, Mark: &mark})
		require.NoError(t, err)
		require.Equal(t, j.end(), x.Next(), "nothing was lost")
		require.NoError(t, j.expectAll(x, j.end()))
		return x.Close()
	})
}

func TestTheFilesOfAJavaBrokerThatWasClosedAreKept(t *testing.T) {
	j := busyLog(40)
	files := javaFiles(tiny, j.items(0, 3000))
	last := files[len(files)-1]
	takeOver(t, j, files, index.Options{Sizes: tiny, Clean: true}, func(x *index.Index) {
		require.EqualValues(t, binary.BigEndian.Uint64(last.bytes[24:]), x.Next(), "where its last record begins")
		require.Len(t, x.Files(), len(files))
		require.EqualValues(t, binary.BigEndian.Uint64(last.bytes[:]), x.Files()[len(files)-1].Header.BeginAt)
	})
}

func TestAJavaBrokersEmptyNewestFileIsKeptIfItWasClosed(t *testing.T) {
	j := busyLog(40)
	files := javaFiles(tiny, j.items(0, 2000)) // 30 items, so that the last file is full
	require.True(t, files[len(files)-1].full())
	for _, before := range []*javaFile{files[len(files)-1], nil} {
		takeOver(t, j, append(files[:len(files):len(files)], newJavaFile(tiny, before)), index.Options{Sizes: tiny, Clean: true}, func(x *index.Index) {
			require.EqualValues(t, 1900, x.Next(), "what the newest file says it begins behind does not matter")
			require.Len(t, x.Files(), len(files)+1)
			// The record that ends the full file is not added again.
			require.NoError(t, j.feed(x, 2000, noon))
			require.Zero(t, x.Unwritten())
		})
	}
}

func TestAJavaBrokersOnlyEmptyFileIsKept(t *testing.T) {
	j := busyLog(10)
	takeOver(t, j, []*javaFile{newJavaFile(tiny, nil)}, index.Options{Sizes: tiny, Clean: true}, func(x *index.Index) {
		require.Zero(t, x.Next())
		require.Len(t, x.Files(), 1)
	})
}

func TestAfterACrashOfAJavaBrokerFilesThatWereNotCompleteAreRemoved(t *testing.T) {
	j := busyLog(40)
	files := javaFiles(tiny, j.items(0, 3000))
	end := func(i int) int64 { return int64(binary.BigEndian.Uint64(files[i].bytes[8:])) }
	for kept := range len(files) {
		completeAt := int64(0)
		if kept > 0 {
			completeAt = end(kept - 1)
		}
		takeOver(t, j, files, index.Options{Sizes: tiny, CompleteAt: completeAt}, func(x *index.Index) {
			require.Len(t, x.Files(), kept)
		})
	}
	// An empty newest file ends when the one before it does.
	empty := append(files[:2:2], newJavaFile(tiny, files[1]))
	takeOver(t, j, empty, index.Options{Sizes: tiny, CompleteAt: end(1)}, func(x *index.Index) {
		require.Len(t, x.Files(), 2)
	})
}

// A file may end between two keys of a record. If the crash takes the next file, the other key must be added again, and the
// first one need not.
func TestTheKeysOfARecordInTwoFilesAreAllFoundWhenOneFileIsLost(t *testing.T) {
	j := &journal{}
	for i := range 4 {
		j.write(noon+int64(i)*1000, 1, 2, 3)
	}
	files := javaFiles(tiny, j.items(0, 200)) // five items and one
	require.Len(t, files, 2)
	takeOver(t, j, files, index.Options{Sizes: tiny, CompleteAt: noon + 1000 - 1}, func(x *index.Index) {
		require.Empty(t, x.Files(), "it ends with a record stored later")
	})
	takeOver(t, j, files[:1], index.Options{Sizes: tiny, CompleteAt: noon + 1000}, func(x *index.Index) {
		require.EqualValues(t, 100, x.Next())
		require.NoError(t, j.feed(x, 200, noon))
		require.Equal(t, 20, x.Unwritten(), "only the third key")
	})
}

func TestAJavaBrokersFilesNeedNotBeSynced(t *testing.T) {
	j := busyLog(30)
	for seed := range uint64(10) {
		w := newWorld(seed)
		var mark index.Mark
		w.do(t, func(disk env.Disk) error {
			for i, f := range javaFiles(tiny, j.items(0, j.end())) {
				file, err := disk.Create(javaPath(i))
				require.NoError(t, errors.Join(err, file.WriteAt(f.bytes, 0), file.Close()))
			}
			x, err := index.Open(disk, index.Options{Sizes: tiny, Clean: true})
			require.NoError(t, err)
			require.NoError(t, j.feed(x, j.end(), noon))
			require.NoError(t, x.Save())
			mark = x.Durable()
			return x.Close()
		})
		w.machine.Crash(sim.PowerLoss)
		w.do(t, func(disk env.Disk) error {
			x, err := index.Open(disk, index.Options{Sizes: tiny, Mark: &mark, Clean: true})
			require.NoError(t, err)
			require.Equal(t, j.end(), x.Next())
			return errors.Join(j.expectAll(x, j.end()), x.Close(), verify(disk, tiny))
		})
		w.kernel.Close()
	}
}
