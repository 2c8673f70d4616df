package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// memory is the store as slices: for each queue its messages, by number, also those that are gone with the first files of the log.
type memory struct {
	world   *world
	env     env.Env
	store   *store.Store
	queues  map[store.QueueKey][]*oracle.Sent
	sizes   map[*oracle.Sent]int // bytes of the record
	log     []*oracle.Sent       // all, in the order of the log
	start   message.LogOffset    // of the log
	removed map[*oracle.Sent]bool
}

var propertyKeys = []store.QueueKey{{Topic: "topic", ID: 0}, {Topic: "topic", ID: 1}, {Topic: "%RETRY%group", ID: 0}, {Topic: "订单", ID: 7}, {Topic: "batch", ID: 3}}

func TestPropTheStoreIsAListPerQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		flush := rapid.SampledFrom([]store.FlushMode{store.SyncFlush, store.AsyncFlush}).Draw(t, "flush")
		w := newWorld(rapid.Uint64().Draw(t, "seed"), small(flush))
		defer w.kernel.Close()
		w.tidy()
		m := &memory{world: w, queues: map[store.QueueKey][]*oracle.Sent{}, sizes: map[*oracle.Sent]int{}, removed: map[*oracle.Sent]bool{}}
		m.open(t)
		t.Repeat(map[string]func(*rapid.T){
			"append": m.append,
			"fill":   m.fill,
			"read":   m.read,
			"search": m.search,
			"drop":   m.drop,
			"age": func(t *rapid.T) {
				w.machine.StepWall(time.Duration(rapid.SampledFrom([]int{20, 40, 70}).Draw(t, "minutes")) * time.Minute)
			},
			"clean":  m.clean,
			"bounds": m.bounds,
			"crash":  m.crash,
			"close":  m.close,
			"pause": func(t *rapid.T) {
				pause := time.Duration(rapid.IntRange(1, 30).Draw(t, "milliseconds")) * time.Millisecond
				m.do(t, func() error {
					m.env.Tasks.Sleep(pause)
					return nil
				})
			},
		})
		m.do(t, func() error { return m.store.Close() })
		require.NoError(t, w.expectOrder())
	})
}

func (m *memory) do(t *rapid.T, task func() error) {
	require.NoError(t, m.world.do(func(env.Env) error { return task() }))
}

func (m *memory) open(t *rapid.T) {
	require.NoError(t, m.world.do(func(e env.Env) (err error) {
		m.env = e
		m.store, err = store.Open(e, m.world.options)
		return err
	}))
}

func (m *memory) crash(t *rapid.T) {
	styles := []sim.CrashStyle{sim.KillProcess}
	if m.world.options.Flush == store.SyncFlush {
		styles = append(styles, sim.PowerLoss)
	}
	m.world.machine.Crash(rapid.SampledFrom(styles).Draw(t, "style"))
	m.open(t)
}

func (m *memory) close(t *rapid.T) {
	m.do(t, func() error { return m.store.Close() })
	m.open(t)
}

func (m *memory) append(t *rapid.T) {
	key := rapid.SampledFrom(propertyKeys).Draw(t, "queue")
	m.send(t, key, rapid.SliceOfN(rapid.OneOf(rapid.IntRange(14, 300), rapid.IntRange(14, 16<<10)), 1, 5).Draw(t, "sizes")...)
}

// fill makes the log longer by about a file.
func (m *memory) fill(t *rapid.T) {
	key := rapid.SampledFrom(propertyKeys).Draw(t, "queue")
	for range 7 {
		m.send(t, key, 14_000)
	}
}

func (m *memory) send(t *rapid.T, key store.QueueKey, sizes ...int) {
	m.do(t, func() error {
		a := m.world.ledger.Append(m.env, m.store, key, sizes...)
		m.store.Kick()
		if status := a.Wait(); status != store.AppendOK {
			return fmt.Errorf("%v: %s", status, a.Reason)
		}
		for _, sent := range a.Messages {
			if end := endOf(m.queues[key]); sent.Place.Queue != end {
				return fmt.Errorf("message %d got the number %d", end, sent.Place.Queue)
			}
			m.queues[key], m.log = append(m.queues[key], sent), append(m.log, sent)
			p, err := m.store.RecordBytes(sent.Place.Log)
			if err != nil {
				return err
			}
			m.sizes[sent] = len(p)
		}
		return nil
	})
}

// drop removes a topic.
func (m *memory) drop(t *rapid.T) {
	topic := rapid.SampledFrom(propertyKeys).Draw(t, "topic").Topic
	m.do(t, func() error { return m.store.DropTopic(topic) })
	for _, key := range propertyKeys {
		if key.Topic == topic {
			for _, sent := range m.queues[key] {
				m.removed[sent] = true
			}
			delete(m.queues, key)
		}
	}
}

// clean lets go what has expired: a file does once the first message behind it is an hour old.
func (m *memory) clean(t *rapid.T) {
	m.do(t, func() error {
		m.store.CleanNow()
		m.env.Tasks.Sleep(600 * time.Millisecond) // all of its rounds
		return nil
	})
	for _, sent := range m.log {
		begins := sent.Place.Log%secondFile == 0 && sent.Place.Log > m.start
		if begins && time.Duration(m.env.Clock.Wall()-sent.At)*time.Millisecond >= time.Hour {
			m.start = sent.Place.Log
		}
	}
	require.Equal(t, m.start, m.store.Start())
}

// first is the number of a queue's first message that the log still has.
func (m *memory) first(list []*oracle.Sent) message.QueueOffset {
	for _, sent := range list {
		if sent.Place.Log >= m.start {
			return sent.Place.Queue
		}
	}
	return endOf(list)
}

// span is how many numbers a record takes.
func span(sent *oracle.Sent) int { return max(sent.Inner, 1) }

// endOf is the number behind the last message of a queue.
func endOf(list []*oracle.Sent) message.QueueOffset {
	if len(list) == 0 {
		return 0
	}
	last := list[len(list)-1]
	return last.Place.Queue + message.QueueOffset(span(last))
}

func (m *memory) bounds(t *rapid.T) {
	for _, key := range propertyKeys {
		first, end := m.store.Bounds(key)
		require.Equal(t, m.first(m.queues[key]), first, "%v", key)
		require.Equal(t, endOf(m.queues[key]), end, "%v", key)
	}
}

// search looks for the messages of a topic by the key that all have, or for one by its own.
func (m *memory) search(t *rapid.T) {
	q := store.KeyQuery{
		Topic: rapid.SampledFrom(propertyKeys).Draw(t, "topic").Topic, Key: "k", To: 1 << 60,
		CountMax: rapid.IntRange(1, 30).Draw(t, "count"), BytesMax: rapid.IntRange(0, 60_000).Draw(t, "bytes"),
	}
	if len(m.log) > 0 && rapid.Bool().Draw(t, "one") {
		q.Key = rapid.SampledFrom(m.log).Draw(t, "message").SearchKey()
	}
	var want []string
	bytes := 0
	for n := len(m.log) - 1; n >= 0 && len(want) < q.CountMax; n-- {
		sent := m.log[n]
		if m.removed[sent] || sent.Key.Topic != q.Topic || sent.Place.Log < m.start || q.Key != "k" && q.Key != sent.SearchKey() {
			continue
		}
		if bytes += m.sizes[sent]; len(want) > 0 && bytes > q.BytesMax {
			break
		}
		want = append([]string{sent.Body}, want...)
	}
	m.do(t, func() error {
		result, err := m.store.FindByKey(q)
		if err != nil {
			return err
		}
		if !result.Complete || result.Count != len(want) {
			return fmt.Errorf("%+v: %d found, complete %v, expected %d", q, result.Count, result.Complete, len(want))
		}
		for r, err := range message.DecodeRecords(result.Bytes, true) {
			if err != nil || string(r.Body) != want[0] {
				return fmt.Errorf("%+v: %.14s, %v, expected %.14s", q, r.Body, err, want[0])
			}
			want = want[1:]
		}
		return nil
	})
}

func (m *memory) read(t *rapid.T) {
	key := rapid.SampledFrom(propertyKeys).Draw(t, "queue")
	list := m.queues[key]
	request := store.ReadRequest{
		Queue:    key,
		From:     message.QueueOffset(rapid.IntRange(-1, int(endOf(list))+2).Draw(t, "from")),
		CountMax: rapid.IntRange(0, 20).Draw(t, "count"),
		BytesMax: rapid.OneOf(rapid.IntRange(0, 2000), rapid.IntRange(0, 60_000)).Draw(t, "bytes"),
	}
	tag := rapid.SampledFrom([]string{"", "", "tag0", "tag2", "none"}).Draw(t, "tag")
	if tag != "" {
		request.Matches = func(hash int64) bool { return hash == message.TagHash([]byte(tag)) }
	}
	m.do(t, func() error {
		got, err := m.store.Read(request, nil)
		if err != nil {
			return err
		}
		return m.compare(list, request, tag, got)
	})
}

// compare says what the read must have found, by the rules.
func (m *memory) compare(list []*oracle.Sent, request store.ReadRequest, tag string, got store.ReadResult) error {
	status, next, want := m.expect(list, request, tag)
	count := 0
	for _, sent := range want {
		count += span(sent)
	}
	if got.Status != status || got.Next != next || got.Count != count {
		return fmt.Errorf("%+v of %d: %v, next %d, %d found; expected %v, next %d, %d", request, len(list), got.Status, got.Next, got.Count, status, next, count)
	}
	for r, err := range message.DecodeRecords(got.Bytes, true) {
		if err != nil || len(want) == 0 || string(r.Body) != want[0].Body || r.QueueOffset != want[0].Place.Queue {
			return fmt.Errorf("%+v: %v, %v, expected %v", request, r, err, want)
		}
		want = want[1:]
	}
	if len(want) > 0 {
		return fmt.Errorf("%+v: %d messages are missing", request, len(want))
	}
	return nil
}

func (m *memory) expect(list []*oracle.Sent, request store.ReadRequest, tag string) (store.ReadStatus, message.QueueOffset, []*oracle.Sent) {
	end := endOf(list)
	switch {
	case end == 0:
		return store.ReadNoMatchedLogicQueue, 0, nil
	case request.From < m.first(list):
		return store.ReadOffsetTooSmall, m.first(list), nil
	case request.From == end:
		return store.ReadOffsetOverflowOne, end, nil
	case request.From > end:
		return store.ReadOffsetOverflowBadly, end, nil
	}
	var found []*oracle.Sent
	bytes, count := 0, 0
	next := request.From
	for _, sent := range list {
		after := sent.Place.Queue + message.QueueOffset(span(sent))
		if after <= request.From {
			continue
		}
		if tag != "" && sent.Tag != tag {
			next = after
			continue
		}
		if len(found) > 0 && (count+span(sent) > request.CountMax || bytes+m.sizes[sent] > request.BytesMax) {
			break
		}
		found = append(found, sent)
		bytes += m.sizes[sent]
		count += span(sent)
		next = after
	}
	if len(found) == 0 {
		return store.ReadNoMatchedMessage, next, nil
	}
	return store.ReadFound, next, found
}
