package segment_test

import (
	"slices"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// slice is the row as one byte slice: for each byte the values it may have after a power loss, the
// last of which is what it has now.
type slice struct {
	start int64
	bytes [][]byte
}

func (s *slice) end() int64 { return s.start + int64(len(s.bytes)) }

func (s *slice) write(p []byte, offset int64) {
	for i, value := range p {
		at := offset - s.start + int64(i)
		s.bytes[at] = append(s.bytes[at], value)
	}
}

// settle forgets what the bytes of a range were: they were synced.
func (s *slice) settle(from, to int64) {
	for at := max(from-s.start, 0); at < min(to, s.end())-s.start; at++ {
		s.bytes[at] = s.bytes[at][len(s.bytes[at])-1:]
	}
}

// extend adds a file of zeros.
func (s *slice) extend() {
	for range size {
		s.bytes = append(s.bytes, []byte{0})
	}
}

func (s *slice) cut(offset int64) {
	if offset >= s.end() {
		return
	}
	if offset < s.start {
		s.bytes = nil
		return
	}
	s.bytes = s.bytes[:max((offset-s.start+size-1)/size, 1)*size]
	for at := offset - s.start; at < int64(len(s.bytes)); at++ {
		s.bytes[at] = []byte{0}
	}
	if offset < s.end() {
		// The cut file was synced whole. Where one ends nothing was erased, and what stands before was not touched.
		s.settle(s.end()-size, s.end())
	}
}

// compare reads the row file by file. After a power loss each byte settles on what was found.
func (s *slice) compare(t *rapid.T, r *segment.Row, lost bool) {
	if len(s.bytes) == 0 {
		require.True(t, r.Empty())
		return
	}
	require.Equal(t, [2]int64{s.start, s.end()}, [2]int64{r.Start(), r.End()})
	p := make([]byte, size)
	for start := s.start; start < s.end(); start += size {
		require.NoError(t, r.ReadAt(p, start))
		for i, found := range p {
			allowed := s.bytes[start-s.start+int64(i)]
			if !lost {
				allowed = allowed[len(allowed)-1:]
			}
			if !slices.Contains(allowed, found) {
				t.Fatalf("byte %d is %d, expected one of %v", start+int64(i), found, allowed)
			}
			if lost {
				s.bytes[start-s.start+int64(i)] = []byte{found}
			}
		}
	}
}

func TestPropARowIsAByteSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"))
		defer w.kernel.Close()
		model := &slice{}
		var r *segment.Row
		w.do(t, func(disk env.Disk) (err error) {
			r, err = segment.Open(segment.NewHandles(disk, 2), "row", size, false)
			return err
		})
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			if style := rapid.IntRange(0, 11).Draw(t, "crash"); style <= int(sim.PowerLoss) {
				w.machine.Crash(sim.CrashStyle(style))
				w.do(t, func(disk env.Disk) (err error) {
					r, err = segment.Open(segment.NewHandles(disk, 2), "row", size, true)
					require.NoError(t, err)
					model.compare(t, r, style == int(sim.PowerLoss))
					return nil
				})
				continue
			}
			move := drawMove(t, model)
			w.do(t, func(env.Disk) error {
				require.NoError(t, move(r))
				model.compare(t, r, false)
				return nil
			})
		}
	})
}

// drawMove draws one thing to do to the row, which the result then does, and does it to the model. Nothing may be drawn inside a
// task of the world.
func drawMove(t *rapid.T, model *slice) func(r *segment.Row) error {
	if len(model.bytes) == 0 {
		at := rapid.Int64Range(0, 5*size).Draw(t, "begin at")
		model.start = at / size * size
		model.extend()
		return func(r *segment.Row) error { return r.Create(at) }
	}
	offset := rapid.Int64Range(model.start, model.end()-1).Draw(t, "offset")
	switch rapid.SampledFrom([]string{"write", "write", "write", "sync", "create", "cut", "remove before", "remove all"}).Draw(t, "move") {
	case "sync":
		to := rapid.Int64Range(offset, model.end()).Draw(t, "to")
		model.settle(offset, to)
		return func(r *segment.Row) error { return r.Sync(offset, to) }
	case "create":
		end := model.end()
		model.extend()
		return func(r *segment.Row) error { return r.Create(end) }
	case "cut":
		offset = max(offset-rapid.Int64Range(0, 1).Draw(t, "before"), 0) // now and then before the beginning
		model.cut(offset)
		return func(r *segment.Row) error { return r.Cut(offset) }
	case "remove before":
		removed := (offset - model.start) / size * size
		model.start += removed
		model.bytes = model.bytes[removed:]
		return func(r *segment.Row) error {
			n, err := r.RemoveBefore(offset)
			require.EqualValues(t, removed/size, n)
			return err
		}
	case "remove all":
		model.bytes = nil
		return func(r *segment.Row) error { return r.RemoveAll() }
	}
	return drawWrite(t, model, offset)
}

func drawWrite(t *rapid.T, model *slice, offset int64) func(r *segment.Row) error {
	room := int(size - offset%size)
	p := rapid.SliceOfN(rapid.ByteRange(1, 255), 0, min(room, 300)).Draw(t, "bytes")
	model.write(p, offset)
	return func(r *segment.Row) error { return r.WriteAt(p, offset) }
}
