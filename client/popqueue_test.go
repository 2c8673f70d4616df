package client

import (
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func poppedUntil(until env.Instant) *PoppedMessage {
	return &PoppedMessage{Received: &Received{}, until: until}
}

// popQueueModel says what a popQueue should hold.
type popQueueModel struct {
	queue   *popQueue
	now     env.Instant
	waiting []*PoppedMessage
	running []*PoppedMessage
	apart   int // dismissed, or handed out and being settled
}

func (m *popQueueModel) put(t *rapid.T) {
	var messages []*PoppedMessage
	for range rapid.IntRange(0, 5).Draw(t, "messages") {
		messages = append(messages, poppedUntil(m.now.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "held for")))))
	}
	m.queue.put(messages)
	m.waiting = append(m.waiting, messages...)
}

func (m *popQueueModel) take(t *rapid.T) {
	count := rapid.IntRange(1, 4).Draw(t, "count")
	m.waiting = slices.DeleteFunc(m.waiting, func(p *PoppedMessage) bool { return p.over(m.now) })
	want := m.waiting[:min(count, len(m.waiting))]
	m.waiting = m.waiting[len(want):]
	taken := m.queue.take(count, m.now)
	require.Len(t, taken, len(want))
	for i, p := range want {
		require.Same(t, p.Received, taken[i], "messages are handed out by arrival, each once, and never when their time is over")
	}
	m.running = append(m.running, want...)
}

// one takes one message that is handed out.
func (m *popQueueModel) one(t *rapid.T) *PoppedMessage {
	i := rapid.IntRange(0, len(m.running)-1).Draw(t, "which")
	p := m.running[i]
	m.running = slices.Delete(slices.Clone(m.running), i, i+1)
	return p
}

func (m *popQueueModel) check(t *rapid.T) {
	require.Len(t, m.queue.running, len(m.running))
	living := slices.ContainsFunc(m.waiting, func(p *PoppedMessage) bool { return !p.over(m.now) })
	require.Equal(t, living, m.queue.hasWaiting(m.now))
	require.Equal(t, m.queue.unsettled, len(m.queue.waiting)+len(m.running)+m.apart, "every message counts until it is settled or skipped")
}

func TestAPopQueueIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &popQueueModel{queue: newPopQueue(), now: 100}
		t.Repeat(map[string]func(*rapid.T){
			"":     m.check,
			"put":  m.put,
			"take": m.take,
			"time": func(t *rapid.T) { m.now = m.now.Add(time.Duration(rapid.IntRange(1, 5).Draw(t, "passes"))) },
			"dismiss": func(*rapid.T) {
				m.queue.dismissed(2)
				m.apart += 2
			},
			"back": func(t *rapid.T) {
				if len(m.running) > 0 {
					p := m.one(t)
					require.Same(t, p, m.queue.back(p.Received))
					m.apart++
				}
			},
			"put back": func(t *rapid.T) {
				if len(m.running) > 0 {
					p := m.one(t)
					m.queue.putBack(p.Received)
					m.waiting = append([]*PoppedMessage{p}, m.waiting...)
				}
			},
			"settle": func(*rapid.T) {
				if m.apart > 0 {
					m.queue.settled()
					m.apart--
				}
			},
		})
	})
}

func TestDelaysOfPopsAreThoseOfTheTable(t *testing.T) {
	for redeliveries, want := range map[int32]time.Duration{-1: 10 * time.Second, 0: 10 * time.Second, 1: 30 * time.Second, 12: 20 * time.Minute, 15: 2 * time.Hour, 99: 2 * time.Hour} {
		require.Equal(t, want, popDelay(levelOfBroker, redeliveries), redeliveries)
	}
	for level, want := range map[int]time.Duration{1: time.Second, 3: 10 * time.Second, 18: 2 * time.Hour, 30: 2 * time.Hour} {
		require.Equal(t, want, popDelay(level, 7), level)
	}
	for age, want := range map[time.Duration]time.Duration{
		-time.Second: 10 * time.Second, 0: 10 * time.Second, 10 * time.Second: 30 * time.Second, 29 * time.Second: 30 * time.Second,
		time.Hour: 2 * time.Hour, 9 * time.Hour: 2 * time.Hour,
	} {
		require.Equal(t, want, delayAbove(age), age)
	}
}

// TestBatchAcksTellEveryMessageOnce also when filters, or holds that were changed, tear a pop apart.
func TestBatchAcksTellEveryMessageOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type place struct {
			broker   string
			retry    proto.PopRetry
			queue    int32
			start    int64
			poppedAt int64
			offset   int64
		}
		want := map[place]bool{}
		var messages []*PoppedMessage
		for range rapid.IntRange(0, 60).Draw(t, "messages") {
			p := place{
				broker: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "broker"), retry: rapid.SampledFrom([]proto.PopRetry{"0", "1"}).Draw(t, "retry"),
				queue: rapid.Int32Range(0, 1).Draw(t, "queue"), start: rapid.Int64Range(0, 3).Draw(t, "start"), poppedAt: rapid.Int64Range(1, 2).Draw(t, "time"),
			}
			p.offset = p.start + rapid.SampledFrom([]int64{0, 1, 2, 31, 8191, 8192, 1 << 40}).Draw(t, "distance")
			if want[p] {
				continue
			}
			want[p] = true
			messages = append(messages, &PoppedMessage{Received: &Received{}, topic: "T", receipt: proto.PopReceipt{
				StartOffset: p.start, PoppedAt: p.poppedAt, Retry: p.retry, BrokerName: p.broker, QueueID: p.queue, QueueOffset: p.offset, LogOffset: -1,
			}})
		}
		got := map[place]bool{}
		for _, b := range batchAcks("G", messages) {
			told := 0
			for _, a := range b.body.Acks {
				require.LessOrEqual(t, len(a.Bits), batchSpanMax/8, "an entry has a bound")
				for offset := a.StartOffset; offset < a.StartOffset+int64(8*len(a.Bits)); offset++ {
					if a.Has(offset) {
						got[place{b.body.BrokerName, proto.PopRetry(a.Retry), a.QueueID, a.StartOffset, a.PoppedAt, offset}] = true
						told++
					}
				}
			}
			require.Len(t, b.messages, told)
			for _, m := range b.apart {
				r := m.receipt
				got[place{r.BrokerName, r.Retry, r.QueueID, r.StartOffset, r.PoppedAt, r.QueueOffset}] = true
			}
		}
		require.Equal(t, want, got)
	})
}
