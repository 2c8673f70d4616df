package index

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/segment"
)

// SizesOf finds the sizes that the files of a directory were made with, from what the oldest file with items says; ok is false if
// none has any, or if no sizes fit, because it is damaged. usual are tried first, also for a file that a crash left
// shorter. It reads all slots of that file.
func SizesOf(disk env.Disk, usual Sizes) (sizes Sizes, ok bool, err error) {
	entries, err := disk.List(Dir)
	if err != nil {
		return sizes, false, err
	}
	handles := segment.NewHandles(disk, openMax)
	for _, e := range entries {
		name, err := parseName(e.Name)
		if err != nil || e.IsDir {
			continue
		}
		if sizes, ok, err = sizesOfFile(handles, name, e.Size, usual); ok || err != nil {
			return sizes, ok, err
		}
	}
	return sizes, false, nil
}

// Fits is ErrForeign, with the sizes that would fit, if the files of a directory were made with other sizes. It reads no more than the names
// if they fit.
func Fits(disk env.Disk, sizes Sizes) error {
	x := &Index{disk: disk, handles: segment.NewHandles(disk, openMax), options: Options{Sizes: sizes}}
	entries, err := disk.List(Dir)
	if err != nil {
		return err
	}
	var files []listed
	for _, e := range entries {
		name, err := parseName(e.Name)
		switch {
		case err != nil || e.IsDir:
		case e.Size == sizes.FileSize():
			return nil
		default:
			files = append(files, listed{name: name, size: e.Size})
		}
	}
	if len(files) == 0 {
		return nil
	}
	files[0].short = len(files) == 1 && files[0].size < sizes.FileSize()
	return x.wrongSize(files[0])
}

// wrongSize is the error for a file of another size, with the sizes it was made with if they can be found. For a short one, it is nil unless
// the file itself says that it was made with other sizes: a crash leaves short ones.
func (x *Index) wrongSize(f listed) error {
	want := x.options.Sizes
	if f.size == want.FileSize() {
		return nil
	}
	found, ok, err := sizesOfFile(x.handles, f.name, f.size, want)
	if err == nil && f.short && (!ok || found == want) {
		// No crash leaves items in a file that ends before the first one.
		var items bool
		if items, err = x.countsItems(f); !items || f.size >= want.itemAt(1) {
			return err
		}
	}
	if err != nil {
		return err
	}
	advice := "no sizes are known that fit it: set the sizes (maxHashSlotNum, maxIndexNum) this directory was made with"
	switch {
	case ok && found == want:
		advice = "it was made with these sizes, and its end is missing"
	case ok:
		advice = fmt.Sprintf("it was made with maxHashSlotNum %d and maxIndexNum %d: set these", found.Slots, found.Items)
	}
	return fmt.Errorf("%s: %w: it has %d bytes, %d slots and %d items take %d: %s, or remove %s/, it is made again from the log",
		pathOf(f.name), ErrForeign, f.size, want.Slots, want.Items, want.FileSize(), advice, Dir)
}

// countsItems reports whether the header of a file says that there are items.
func (x *Index) countsItems(f listed) (bool, error) {
	file := x.handles.File(pathOf(f.name))
	p := make([]byte, headerSize)
	n, err := file.ReadAt(p, 0)
	return n == headerSize && decodeHeader(p).Count > 1, errors.Join(err, file.Drop())
}

// sizesOfFile finds the number of slots by where the first item stands: the bytes of item 0 are zeros, and what the header says of the
// items and the slots that are used must fit all of them.
func sizesOfFile(handles *segment.Handles, name, size int64, usual Sizes) (sizes Sizes, ok bool, err error) {
	if size < (Sizes{Slots: 1, Items: 2}).FileSize() {
		return sizes, false, nil
	}
	file := handles.File(pathOf(name))
	defer func() { err = errors.Join(err, file.Drop()) }()
	p := make([]byte, headerSize)
	t := newTable(file, name, usual)
	if err := t.readFull(p, 0); err != nil {
		return sizes, false, err
	}
	header := decodeHeader(p)
	if header.Count < 2 || header.BeginLog < 0 || int64(header.Count) > size/itemSize {
		return sizes, false, nil
	}
	if size <= usual.FileSize() && size >= usual.itemAt(header.Count) {
		if ok, err := fits(file, name, usual, header); ok || err != nil {
			return usual, ok, err
		}
	}
	return searchSizes(file, name, size, header)
}

// searchSizes tries every number of slots with which the file has the size it has: one item more takes as many bytes as some slots.
func searchSizes(file *segment.File, name, size int64, header Header) (Sizes, bool, error) {
	const step = itemSize / slotSize
	words := (size - headerSize) / slotSize
	least, most := (words-1)%step+1, min(words-step*int64(header.Count), math.MaxInt32)
	w := window{file: file, size: size}
	for slots := least; slots <= most; slots += step {
		sizes := Sizes{Slots: int32(slots), Items: int32((words - slots) / step)}
		may, err := w.mayBegin(sizes, header)
		if err != nil {
			return Sizes{}, false, err
		}
		if !may {
			continue
		}
		if ok, err := fits(file, name, sizes, header); ok || err != nil {
			return sizes, ok, err
		}
	}
	return Sizes{}, false, nil
}

// window reads a file from its beginning to its end in large pieces.
type window struct {
	file  *segment.File
	size  int64
	from  int64
	bytes []byte
}

func (w *window) read(at, n int64) ([]byte, error) {
	if at < w.from || at+n > w.from+int64(len(w.bytes)) {
		w.from, w.bytes = at, make([]byte, min(readMax, w.size-at))
		if read, err := w.file.ReadAt(w.bytes, at); err != nil || read < len(w.bytes) {
			return nil, cmp.Or(err, io.ErrUnexpectedEOF)
		}
	}
	return w.bytes[at-w.from:][:n], nil
}

// mayBegin looks at the first and the last item that a file of these sizes has, which saves reading all of them for each number of slots.
func (w *window) mayBegin(sizes Sizes, header Header) (bool, error) {
	p, err := w.read(sizes.itemAt(0), 2*itemSize)
	if err != nil {
		return false, err
	}
	first := decodeItem(p[itemSize:])
	// A hash of 0 is not to be expected, and zeros fill most of the file.
	if len(bytes.Trim(p[:itemSize], "\x00")) > 0 || first.log != header.BeginLog || first.hash <= 0 || first.seconds != 0 || first.previous != 0 {
		return false, nil
	}
	last := make([]byte, itemSize)
	n, err := w.file.ReadAt(last, sizes.itemAt(header.Count-1))
	return n == itemSize && decodeItem(last).log == header.EndLog, err
}

// fits reports whether the items of a file make the header that it has, if the file has these sizes.
func fits(file *segment.File, name int64, sizes Sizes, header Header) (bool, error) {
	t := newTable(file, name, sizes)
	_, err := t.readItems(header.Count)
	if errors.Is(err, errDamaged) {
		return false, nil
	}
	h := t.header
	return err == nil && h.BeginLog == header.BeginLog && h.EndLog == header.EndLog && h.Used == header.Used, err
}
