package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// small makes files roll after a few messages.
func small(flush store.FlushMode) store.Options {
	return store.Options{
		Flush: flush, LogSegmentSize: 96 << 10, BodySizeMax: 8 << 10, QueueSegmentEntries: 50,
		SaveQueuesEvery: 5 * time.Millisecond, CheckpointEvery: 20 * time.Millisecond, FlushEvery: 3 * time.Millisecond,
	}
}

// model is what the test knows of the messages it sent.
type model struct {
	sent   map[string][]byte        // body by text of queue and offset, of acknowledged messages
	ends   map[store.QueueKey]int64 // one past the last acknowledged offset
	unsure int
}

type outcome struct {
	model *model
	key   store.QueueKey
	body  []byte
	done  bool
	cond  env.Cond
	res   store.AppendStatus
}

func (o *outcome) Appended(result store.AppendResult) {
	o.done, o.res = true, result.Status
	if result.Status == store.AppendOK {
		at := int64(result.Places[0].Queue)
		o.model.sent[fmt.Sprint(o.key, at)] = o.body
		o.model.ends[o.key] = max(o.model.ends[o.key], at+1)
	}
	o.cond.Broadcast()
}

var testHost = netip.MustParseAddrPort("10.0.0.1:10911")

func record(key store.QueueKey, body []byte) message.Record {
	return message.Record{
		Topic: []byte(key.Topic), QueueID: key.ID, Body: body, BornHost: testHost, StoreHost: testHost,
		Properties: []byte("TAGS\x01a\x02KEYS\x01k\x02"),
	}
}

// workload appends messages from several tasks until stopped.
func workload(e env.Env, s *store.Store, m *model, random *sim.Stream, worker int) {
	key := store.QueueKey{Topic: fmt.Sprintf("topic%d", worker%2), ID: int32(worker % 3)}
	for n := 0; ; n++ {
		body := make([]byte, random.IntN(2000))
		for i := range body {
			body[i] = byte(random.Uint64())
		}
		o := &outcome{model: m, key: key, body: body, cond: e.Tasks.NewCond()}
		s.Append(key, []message.Record{record(key, body)}, o)
		s.Kick()
		for !o.done {
			o.cond.Wait()
		}
		if o.res == store.AppendUnavailable || o.res == store.AppendFailed {
			return
		}
		if random.Chance(0.3) {
			e.Tasks.Sleep(time.Duration(random.IntN(2_000_000)))
		}
	}
}

// verify reads everything back and compares it with the model.
func verify(s *store.Store, m *model, lossy bool) error {
	for key, end := range m.ends {
		first, last := s.Bounds(key)
		if first != 0 {
			return fmt.Errorf("%v begins at %d", key, first)
		}
		if int64(last) < end && !lossy {
			return fmt.Errorf("%v ends at %d, but %d was acknowledged", key, last, end-1)
		}
		at := message.QueueOffset(0)
		for at < last {
			result, err := s.Read(store.ReadRequest{Queue: key, From: at, CountMax: 16, BytesMax: 1 << 20}, nil)
			if err != nil {
				return err
			}
			if result.Status != store.ReadFound {
				return fmt.Errorf("%v at %d: %v", key, at, result.Status)
			}
			for r, err := range message.DecodeRecords(result.Bytes, true) {
				if err != nil {
					return fmt.Errorf("%v at %d: %w", key, at, err)
				}
				if r.QueueOffset != at || string(r.Topic) != key.Topic || r.QueueID != key.ID {
					return fmt.Errorf("%v at %d: found %v", key, at, r)
				}
				if want, ok := m.sent[fmt.Sprint(key, int64(at))]; ok && !bytes.Equal(want, r.Body) {
					return fmt.Errorf("%v at %d: another body", key, at)
				}
				at++
			}
			if at != result.Next {
				return fmt.Errorf("%v: next is %d after %d", key, result.Next, at)
			}
		}
	}
	return nil
}

func crashRun(seed uint64, flush store.FlushMode, style sim.CrashStyle, rounds int, tune func(*sim.Machine, *sim.Stream)) error {
	k := sim.New(seed, sim.Options{Logging: os.Getenv("DBG") != "", Log: os.Stdout})
	defer k.Close()
	random := k.Stream("test")
	m := k.AddMachine("a", netip.MustParseAddr("10.0.0.1"))
	mod := &model{sent: map[string][]byte{}, ends: map[store.QueueKey]int64{}}
	var failed error
	for round := range rounds {
		if tune != nil {
			tune(m, random)
		}
		e := m.Boot("broker")
		verified := false
		e.Tasks.Go("open", func() {
			s, err := store.Open(e, small(flush))
			if err == nil {
				err = verify(s, mod, flush == store.AsyncFlush && style == sim.PowerLoss)
			}
			if errors.Is(err, env.ErrIO) || errors.Is(err, env.ErrNoSpace) {
				// A store may refuse to open on a sick disk, as long as it loses nothing.
				verified = true
				return
			}
			if err != nil {
				failed = fmt.Errorf("round %d: %w", round, err)
				return
			}
			if flush == store.AsyncFlush && style == sim.PowerLoss {
				mod.sent, mod.ends = map[string][]byte{}, map[store.QueueKey]int64{}
			}
			verified = true
			for worker := range 5 {
				e.Tasks.Go("work", func() { workload(e, s, mod, random, worker) })
			}
		})
		deadline := k.Now().Add(10 * time.Second)
		k.Run(deadline, func() bool { return verified || failed != nil })
		k.Run(k.Now().Add(time.Duration(random.IntN(100_000_000))), nil)
		if f := k.Failure(); f != nil {
			return fmt.Errorf("%w\n%s", f, f.Stack)
		}
		if failed != nil || !verified {
			return fmt.Errorf("seed %d: %v (verified %v)", seed, failed, verified)
		}
		m.Crash(style)
	}
	return nil
}

func TestAcknowledgedMessagesSurviveAPowerLossWithSyncFlush(t *testing.T) {
	for seed := range uint64(60) {
		require.NoError(t, crashRun(seed, store.SyncFlush, sim.PowerLoss, 6, nil), "seed %d", seed)
	}
}

func TestAcknowledgedMessagesSurviveTheDeathOfTheProcess(t *testing.T) {
	for seed := range uint64(30) {
		require.NoError(t, crashRun(seed, store.AsyncFlush, sim.KillProcess, 6, nil), "seed %d", seed)
		require.NoError(t, crashRun(seed, store.SyncFlush, sim.KillProcess, 6, nil), "seed %d", seed)
	}
}

func TestAfterAPowerLossWithAsyncFlushOnlyASuffixIsMissing(t *testing.T) {
	for seed := range uint64(30) {
		require.NoError(t, crashRun(seed, store.AsyncFlush, sim.PowerLoss, 6, nil), "seed %d", seed)
	}
}

// sick makes a disk fail now and then.
func sick(m *sim.Machine, random *sim.Stream) {
	o := sim.DefaultDisk()
	switch random.IntN(5) {
	case 0:
		o.SyncError = 0.02
	case 1:
		o.WriteError = 0.02
	case 2:
		o.Capacity = 400 << 10
	case 3:
		o.SyncMax = 20 * time.Millisecond
	}
	m.Disk().SetOptions(o)
}

func TestNothingAcknowledgedIsLostWhenTheDiskFailsOrIsFull(t *testing.T) {
	for seed := range uint64(80) {
		require.NoError(t, crashRun(seed, store.SyncFlush, sim.PowerLoss, 6, sick), "seed %d", seed)
		require.NoError(t, crashRun(seed, store.AsyncFlush, sim.KillProcess, 6, sick), "seed %d", seed)
	}
}
