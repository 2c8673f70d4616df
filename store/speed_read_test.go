package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

const (
	pullCount    = 32   // messages of a pull
	readable     = 3200 // messages of the queue that is read, again and again
	pullsPerTurn = 2000
)

// The yardstick copies the same bytes, in the same pieces, from memory, or reads them from the log's file with a pread for each piece. With one queue
// the messages of a pull stand side by side in the log; with 32 queues, to which messages were sent in turn, each
// is a piece of its own. All of the log is in memory.
func BenchmarkReadsOf32MessagesComparedWithCopies(b *testing.B) {
	for _, queues := range []int{1, 32} {
		for _, against := range []string{"copy", "pread"} {
			b.Run(fmt.Sprintf("queues=%d/%s", queues, against), func(b *testing.B) {
				root := b.TempDir()
				onStore(b, root, production(store.AsyncFlush), func(e env.Env, s *store.Store) {
					places := appendAll(b, e, s, readable*queues, func(i int) message.Record { return kilobyte(benchKey(i % queues)) })
					raceReads(b, s, newBarePulls(b, root, int(places[1].Log), queues, against == "copy"), against)
				})
			})
		}
	}
}

func raceReads(b *testing.B, s *store.Store, bare *barePulls, against string) {
	b.Helper()
	var buffer []byte
	request := store.ReadRequest{Queue: benchKey(0), CountMax: pullCount, BytesMax: 1 << 20}
	b.SetBytes(int64(pullsPerTurn * len(bare.buffer)))
	r := startRace(b, against, pullsPerTurn, "pull")
	for b.Loop() {
		r.turn(func() {
			for range pullsPerTurn {
				result, err := s.Read(request, buffer)
				if err != nil || result.Count != pullCount {
					b.Fatalf("%d messages, %v", result.Count, err)
				}
				buffer = result.Bytes
				request.From = result.Next % readable
			}
		}, func() {
			for range pullsPerTurn {
				bare.pull()
			}
		})
	}
	r.report()
}

// barePulls reads the pieces of the log that pulls need, one after the other.
type barePulls struct {
	b      *testing.B
	file   *os.File
	memory []byte // all of the log, to copy from; nil to read the file
	buffer []byte
	piece  int // bytes that stand side by side
	stride int // from one piece to the next
	at     int
	end    int
}

func newBarePulls(b *testing.B, root string, size, queues int, copies bool) *barePulls {
	b.Helper()
	file, err := os.Open(filepath.Join(root, firstLogFile))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, file.Close()) })
	l := &barePulls{b: b, file: file, buffer: make([]byte, pullCount*size), end: readable * queues * size}
	l.piece, l.stride = pullCount*size, pullCount*size
	if queues > 1 {
		l.piece, l.stride = size, queues*size
	}
	if copies {
		l.memory = make([]byte, l.end)
		_, err := file.ReadAt(l.memory, 0)
		require.NoError(b, err)
	}
	return l
}

func (l *barePulls) pull() {
	for rest := l.buffer; len(rest) > 0; rest = rest[l.piece:] {
		if l.memory != nil {
			copy(rest[:l.piece], l.memory[l.at:])
		} else if _, err := l.file.ReadAt(rest[:l.piece], int64(l.at)); err != nil {
			l.b.Fatal(err)
		}
		l.at = (l.at + l.stride) % l.end
	}
}
