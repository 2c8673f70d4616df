package store_test

import (
	"fmt"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// onRealFiles runs a benchmark as a task of a node with a directory of its own.
func onRealFiles(b *testing.B, flush store.FlushMode, task func(e env.Env, s *store.Store)) {
	b.Helper()
	w, err := osenv.New(osenv.Options{Node: "bench", Root: b.TempDir()})
	require.NoError(b, err)
	w.Run(func(e env.Env) {
		options := store.DefaultOptions()
		options.Flush = flush
		s, err := store.Open(e, options)
		require.NoError(b, err)
		task(e, s)
		require.NoError(b, s.Close())
	})
	w.Wait()
}

// counting wakes its waiter at every answer and remembers a failure.
type counting struct {
	answers int
	failed  store.AppendResult
	changed env.Cond
}

func (c *counting) Appended(result store.AppendResult) {
	c.answers++
	if result.Status != store.AppendOK {
		c.failed = result
	}
	c.changed.Signal()
}

// kilobyte is a record with a body of 1 KiB, as a broker makes it.
func kilobyte(key store.QueueKey) message.Record {
	return message.Record{
		Topic: []byte(key.Topic), QueueID: key.ID, Body: make([]byte, 1024), BornHost: oracle.RecordOf(&oracle.Sent{}).BornHost, StoreHost: oracle.RecordOf(&oracle.Sent{}).BornHost,
		Properties: []byte("TAGS\x01TagA\x02UNIQ_KEY\x017F0000012A9F000000000000000003E8\x02CLUSTER\x01DefaultCluster\x02"),
	}
}

// Each operation is one record. A burst of appends, one for each of as many queues, is kicked and waited for, as the
// sends that arrive together are.
func BenchmarkAppend(b *testing.B) {
	for _, flush := range []store.FlushMode{store.SyncFlush, store.AsyncFlush} {
		for _, burst := range []int{1, 32, 128} {
			b.Run(fmt.Sprintf("%v/%d", flush, burst), func(b *testing.B) {
				onRealFiles(b, flush, func(e env.Env, s *store.Store) { appendBursts(b, e, s, burst) })
			})
		}
	}
}

func appendBursts(b *testing.B, e env.Env, s *store.Store, burst int) {
	b.Helper()
	done := &counting{changed: e.Tasks.NewCond()}
	keys, records := make([]store.QueueKey, burst), make([][]message.Record, burst)
	for i := range burst {
		keys[i] = store.QueueKey{Topic: "bench", ID: int32(i)}
		records[i] = []message.Record{kilobyte(keys[i])}
	}
	b.SetBytes(1024)
	b.ReportAllocs()
	sent := 0
	for b.Loop() {
		s.Append(keys[sent%burst], records[sent%burst], done)
		if sent++; sent%burst > 0 {
			continue
		}
		s.Kick()
		for done.answers < sent {
			done.changed.Wait()
		}
	}
	s.Kick()
	for done.answers < sent {
		done.changed.Wait()
	}
	require.Zero(b, done.failed)
}

// Each operation is one pull of 32 messages, in turn over a queue of 3200.
func BenchmarkRead(b *testing.B) {
	onRealFiles(b, store.AsyncFlush, func(e env.Env, s *store.Store) {
		done := &counting{changed: e.Tasks.NewCond()}
		for range 3200 {
			s.Append(key0, []message.Record{kilobyte(key0)}, done)
		}
		s.Kick()
		for done.answers < 3200 {
			done.changed.Wait()
		}
		require.NoError(b, s.Flush())
		b.SetBytes(32 * 1024)
		b.ReportAllocs()
		var buffer []byte
		request := store.ReadRequest{Queue: key0, CountMax: 32, BytesMax: 1 << 20}
		for b.Loop() {
			result, err := s.Read(request, buffer)
			if err != nil || result.Count != 32 {
				b.Fatalf("%d messages, %v", result.Count, err)
			}
			buffer = result.Bytes
			request.From = result.Next % 3200
		}
	})
}
