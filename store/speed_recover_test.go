package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// crashed is a directory with a log of messages of 1 KiB in 64 queues, which can be left as by a crash again and again.
type crashed struct {
	b      *testing.B
	root   string
	places []store.Place // of all messages
	end    message.LogOffset
}

// newCrashed makes a log that nearly fills its first file with the full size, so that a yardstick has one file to read.
func newCrashed(b *testing.B) *crashed {
	b.Helper()
	c := &crashed{b: b, root: b.TempDir()}
	next := func(i int) message.Record { return kilobyte(benchKey(i % 64)) }
	onStore(b, c.root, production(store.AsyncFlush), func(e env.Env, s *store.Store) {
		c.places = appendAll(b, e, s, 64, next)
		size := int(s.Written()) / 64
		c.places = append(c.places, appendAll(b, e, s, scaled(128, 1000)<<20/size/64*64, next)...)
		c.end = s.Flushed()
	})
	require.LessOrEqual(b, int64(c.end), store.DefaultOptions().LogSegmentSize)
	return c
}

// crash leaves the directory as a crash would, when the last checkpoint was at the message with a number. A torn end is the first half
// of one more message.
func (c *crashed) crash(number int, torn bool) {
	path := filepath.Join(c.root, "checkpoint")
	old, err := os.ReadFile(path)
	require.NoError(c.b, err)
	p := store.EncodeCheckpoint(old, 0, c.places[number].Log, int64(number))
	require.NoError(c.b, os.WriteFile(path, p, 0o644))
	require.NoError(c.b, os.WriteFile(filepath.Join(c.root, "abort"), nil, 0o644))
	if !torn {
		return
	}
	file, err := os.OpenFile(filepath.Join(c.root, firstLogFile), os.O_RDWR, 0)
	require.NoError(c.b, err)
	half := make([]byte, c.places[1].Log/2)
	// The size of a message and its magic number stand at its start, as they do in the first message.
	_, err = file.ReadAt(half, 0)
	require.NoError(c.b, err)
	_, err = file.WriteAt(half, int64(c.end))
	require.NoError(c.b, err)
	require.NoError(c.b, file.Close())
}

// An operation opens the store after a crash. MB/s counts the log behind the checkpoint, all of which is read: the whole log, or its last 16 MiB. Behind
// a torn end, the rest of the file is searched for what must be erased, too, 1 GiB less the log. One
// yardstick reads and checksums that part, which is the least that can be done. The other one writes it again and syncs it besides, as the
// store does, because after a crash nobody knows what of it is on the medium.
func BenchmarkRecoveryAfterACrashComparedWithReadingTheLog(b *testing.B) {
	c := newCrashed(b)
	behind := max(len(c.places)-(16<<20)/int(c.places[1].Log), 0)
	for _, from := range []struct {
		name   string
		number int
		torn   bool
	}{{"the-whole-log", 0, false}, {"behind-a-checkpoint", behind, false}, {"to-a-torn-end", behind, true}} {
		for _, against := range []string{"read", "rewrite"} {
			b.Run(from.name+"/"+against, func(b *testing.B) {
				onFiles(b, c.root, func(e env.Env) { c.raceOpen(b, e, from.number, from.torn, against) })
			})
		}
	}
}

func (c *crashed) raceOpen(b *testing.B, e env.Env, number int, torn bool, against string) {
	b.Helper()
	from := c.places[number].Log
	bare := &bareScan{b: b, from: int64(from), to: int64(c.end), rewrite: against == "rewrite"}
	b.SetBytes(bare.to - bare.from)
	r := startRace(b, against, len(c.places)-number, "record")
	for b.Loop() {
		r.aside(func() { c.crash(number, torn) })
		var s *store.Store
		r.turn(func() {
			var err error
			if s, err = store.Open(e, production(store.AsyncFlush)); err != nil {
				b.Fatal(err)
			}
		}, func() { bare.run(e.Disk) })
		r.aside(func() {
			require.Equal(b, c.end, s.Flushed())
			require.NoError(b, s.Close())
		})
	}
	r.report()
}

// An operation verifies all files of a directory.
func BenchmarkCheckComparedWithReadingTheLog(b *testing.B) {
	c := newCrashed(b)
	bare := &bareScan{b: b, to: int64(c.end)}
	onFiles(b, c.root, func(e env.Env) {
		b.SetBytes(bare.to)
		r := startRace(b, "read", len(c.places), "record")
		for b.Loop() {
			r.turn(func() {
				report, err := store.Check(e, production(store.AsyncFlush), nil)
				if err != nil || report.Findings() != "" || report.Records != int64(len(c.places)) {
					b.Fatal(report, report.Findings(), err)
				}
			}, func() { bare.run(e.Disk) })
		}
		r.report()
	})
}
