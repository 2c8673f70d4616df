package oracle

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
)

// Ledger is what the user of a message store knows: what was sent and what was answered. After each crash it says
// whether the store has kept its word. Every body is unique.
type Ledger struct {
	Messages []*Sent
	// KeepFor is how old messages may become before they may be gone; 0 is for ever.
	KeepFor time.Duration
	// Spoiled, if not nil, reports whether the medium has damaged a message, so that nobody could keep it.
	Spoiled func(m *Sent) bool
	// Gaps says that a repair has left bridges: numbers of messages that stood there are in no queue.
	Gaps bool
	// IndexInDoubt says that files of the key index are damaged: until they are repaired a search may miss something.
	IndexInDoubt bool

	named  map[numberOf]*Sent // see Named
	byBody map[string]*Sent
	round  int // number of the verification
}

// Sent is a message that was handed to the store.
type Sent struct {
	Key      store.QueueKey
	Body     string
	Tag      string
	Inner    int            // messages that its record stands for, if it is an inner batch; otherwise 0
	At       env.WallMillis // when it was handed over
	Answered bool
	Status   store.AppendStatus
	Place    store.Place
	// Seen says that a reader got it. From then on it must stay.
	Seen bool
	// Lost says that it is gone, in a way that is allowed, and must stay away.
	Lost     bool
	dropping bool // its topic was being removed when the machine crashed
	revived  bool // its topic was removed, and nothing knows it any more: it may be there or not
	found    int  // the verification that found it last
}

// String names the message.
func (m *Sent) String() string {
	return fmt.Sprintf("%.14s to %v, answered %v with %v at %v", m.Body, m.Key, m.Answered, m.Status, m.Place)
}

// SearchKey is the key by which only this message can be found.
func (m *Sent) SearchKey() string {
	return "key" + m.Body[min(len("message "), len(m.Body)):min(14, len(m.Body))]
}

// forbidden reports whether the message must not be in the store.
func (m *Sent) forbidden() bool {
	if m.revived {
		return false
	}
	switch m.Status {
	case store.AppendOK, store.AppendFlushTimeout, store.AppendFailed:
		return m.Lost
	}
	return m.Answered
}

// RecordSize is how many bytes the message takes in the log.
func (m *Sent) RecordSize() int {
	r := RecordOf(m)
	n, err := r.Size()
	if err != nil {
		panic(err) // it was sent
	}
	const separatorAndChecksum = 21
	if m.Inner > 0 {
		n += len(fmt.Sprintf("%s\x01%d\x02", message.PropertyInnerBase, m.Place.Queue))
	}
	return n + separatorAndChecksum
}

// TakesBatches reports whether the ledger sends inner batches to a topic; it is for Options.BatchQueues.
func TakesBatches(topic string) bool { return strings.HasPrefix(topic, "batch") }

// Owed reports whether the message must be in the store.
func (m *Sent) Owed() bool {
	return (m.Answered && m.Status == store.AppendOK || m.Seen) && !m.Lost && !m.revived
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger { return &Ledger{byBody: map[string]*Sent{}} }

// Sending is one call of Append.
type Sending struct {
	Messages []*Sent
	Answered bool
	Status   store.AppendStatus
	Reason   string
	changed  env.Cond
}

// NewSending returns a completion without messages.
func NewSending(e env.Env) *Sending { return &Sending{changed: e.Tasks.NewCond()} }

// Appended notes the outcome.
func (s *Sending) Appended(result store.AppendResult) {
	s.Answered, s.Status, s.Reason = true, result.Status, result.Reason
	for i, m := range s.Messages {
		m.Answered, m.Status = true, result.Status
		if len(result.Places) > 0 {
			m.Place = result.Places[i]
		}
	}
	s.changed.Broadcast()
}

// Wait returns once the append is answered.
func (s *Sending) Wait() store.AppendStatus {
	for !s.Answered {
		s.changed.Wait()
	}
	return s.Status
}

// String tells the outcome.
func (s *Sending) String() string {
	return fmt.Sprintf("%d messages, answered %v with %v: %s", len(s.Messages), s.Answered, s.Status, s.Reason)
}

var host = netip.MustParseAddrPort("10.0.0.1:10911")

// Append hands messages of the given body sizes to the store, without waiting. Bodies have at least 14 bytes.
func (l *Ledger) Append(e env.Env, s *store.Store, key store.QueueKey, sizes ...int) *Sending {
	a := NewSending(e)
	records := make([]message.Record, len(sizes))
	for i, size := range sizes {
		n := len(l.Messages)
		m := &Sent{At: e.Clock.Wall(), Key: key, Body: fmt.Sprintf("message %06d%s", n, strings.Repeat("x", max(size-14, 0))), Tag: fmt.Sprint("tag", n%3)}
		if TakesBatches(key.Topic) && n%4 > 0 {
			m.Inner = n % 4 * 3
		}
		l.Messages = append(l.Messages, m)
		l.byBody[m.Body] = m
		a.Messages = append(a.Messages, m)
		records[i] = RecordOf(m)
	}
	s.Append(key, records, a)
	return a
}

// Send appends, writes and waits.
func (l *Ledger) Send(e env.Env, s *store.Store, key store.QueueKey, sizes ...int) store.AppendStatus {
	a := l.Append(e, s, key, sizes...)
	s.Kick()
	return a.Wait()
}

// RecordOf is the record of a message.
func RecordOf(m *Sent) message.Record {
	r := message.Record{
		Topic: []byte(m.Key.Topic), QueueID: m.Key.ID, Body: []byte(m.Body), BornHost: host, StoreHost: host,
		Properties: []byte("TAGS\x01" + m.Tag + "\x02KEYS\x01k " + m.SearchKey()),
	}
	if m.Inner > 0 {
		r.SysFlags = message.FlagNeedsUnwrap | message.FlagInnerBatch
		r.Properties = fmt.Appendf(r.Properties, "\x02%s\x01%d", message.PropertyInnerCount, m.Inner)
	}
	return r
}

// Verify reads the whole store and compares it with the ledger. With lossy set, the newest messages may be
// gone; they are then forgotten, and must stay away.
func (l *Ledger) Verify(e env.Env, s *store.Store, lossy bool) error {
	l.round++
	newest := message.LogOffset(-1)
	for _, key := range s.Queues() {
		err := l.eachOf(s, key, func(r *message.Record) error {
			newest = max(newest, r.LogOffset)
			return l.check(r, key)
		})
		if err != nil {
			return fmt.Errorf("%v: %w", key, err)
		}
	}
	for _, m := range l.Messages {
		if m.found != l.round && m.Owed() {
			if err := l.missing(m, e, s, lossy && m.Place.Log > newest); err != nil {
				return err
			}
		}
	}
	return l.search(s)
}

// Saw notes a message that a reader got while the store runs.
func (l *Ledger) Saw(r *message.Record, key store.QueueKey) error {
	m, err := l.known(r, key)
	if err != nil {
		return err
	}
	m.Seen, m.Place = true, store.Place{Log: r.LogOffset, Queue: r.QueueOffset}
	return nil
}

// numberOf is a number in a queue.
type numberOf struct {
	key    store.QueueKey
	number message.QueueOffset
}

// Named is for a message that is lost, and whose number the store keeps all the same: nobody may get it.
func (l *Ledger) Named(m *Sent) {
	if l.named == nil {
		l.named = map[numberOf]*Sent{}
	}
	for n := range max(m.Inner, 1) {
		l.named[numberOf{m.Key, m.Place.Queue + message.QueueOffset(n)}] = m
	}
}

// ForgetNamed is for files that are damaged again, so that nothing may be left that knows numbers of messages.
func (l *Ledger) ForgetNamed() { l.named = nil }

// numbersFit compares the numbers of a record, which may hold several messages, with what it says of itself and with those that are taken.
func (l *Ledger) numbersFit(r *message.Record, m *Sent) error {
	if base, ok := message.PropertyBytes(r.Properties, message.PropertyInnerBase); m.Inner > 0 && (!ok || string(base) != strconv.FormatInt(int64(r.QueueOffset), 10)) {
		return fmt.Errorf("message %d is an inner batch of %d and says that it begins with %q", r.QueueOffset, m.Inner, base)
	}
	for n := range max(m.Inner, 1) {
		number := r.QueueOffset + message.QueueOffset(n)
		if other := l.named[numberOf{m.Key, number}]; other != nil {
			return fmt.Errorf("message %d has the number of another one, which is lost: %v", number, other)
		}
	}
	return nil
}

// known compares a record that was read with what was sent.
func (l *Ledger) known(r *message.Record, key store.QueueKey) (*Sent, error) {
	m := l.byBody[string(r.Body)]
	switch {
	case m == nil:
		return nil, fmt.Errorf("message %d was never sent: %.20q", r.QueueOffset, r.Body)
	case m.Key != key || string(r.Topic) != key.Topic || r.QueueID != key.ID:
		return nil, fmt.Errorf("message %d belongs to %v", r.QueueOffset, m.Key)
	case m.forbidden():
		return nil, fmt.Errorf("message %d was refused or lost, and is there: %v, lost %v", r.QueueOffset, m.Status, m.Lost)
	case m.Owed() && (m.Place != store.Place{Log: r.LogOffset, Queue: r.QueueOffset}):
		return nil, fmt.Errorf("message %d at %d was acknowledged or read as %v", r.QueueOffset, r.LogOffset, m.Place)
	}
	return m, l.numbersFit(r, m)
}

func (l *Ledger) check(r *message.Record, key store.QueueKey) error {
	m, err := l.known(r, key)
	if err != nil {
		return err
	}
	if m.found == l.round {
		return fmt.Errorf("message %d is there twice", r.QueueOffset)
	}
	m.found = l.round
	return l.Saw(r, key)
}

// missing says whether an owed message may have gone, and remembers that it has.
func (l *Ledger) missing(m *Sent, e env.Env, s *store.Store, mayBeLost bool) error {
	expired := l.KeepFor > 0 && int64(e.Clock.Wall()-m.At) >= l.KeepFor.Milliseconds()
	switch {
	case m.dropping, mayBeLost, m.Place.Log < s.Start() && expired:
		m.Lost = true
		return nil
	case l.Spoiled != nil && l.Spoiled(m):
		return nil
	}
	return fmt.Errorf("%v lacks message %d at %d, which was acknowledged or read: %.14s; the log begins at %d", m.Key, m.Place.Queue, m.Place.Log, m.Body, s.Start())
}

// ErrIncomplete: a search did not find what must be there, and says that it may have missed something.
var ErrIncomplete = errors.New("the key index is incomplete")

// search looks for messages by their keys.
func (l *Ledger) search(s *store.Store) error {
	stride := 1 + len(l.Messages)/100
	for i := l.round % stride; i < len(l.Messages); i += stride {
		m := l.Messages[i]
		result, err := s.FindByKey(store.KeyQuery{Topic: m.Key.Topic, Key: m.SearchKey(), To: math.MaxInt64, CountMax: 4, BytesMax: 1 << 20})
		if err != nil {
			return err
		}
		if l.Spoiled != nil && l.Spoiled(m) || m.revived {
			continue
		}
		want := 0
		if m.found == l.round {
			want = 1
		}
		if want == 1 && m.Place.Log < s.Start() {
			continue // it was cleaned away meanwhile
		}
		if !result.Complete && result.Count < want {
			if l.Spoiled != nil {
				continue
			}
			return fmt.Errorf("%w: the key %s of %v is not found yet", ErrIncomplete, m.SearchKey(), m)
		}
		if l.IndexInDoubt && result.Count < want {
			continue
		}
		if result.Count != want {
			return fmt.Errorf("%d messages have the key %s, expected %d; complete %v", result.Count, m.SearchKey(), want, result.Complete)
		}
		for r, err := range message.DecodeRecords(result.Bytes, true) {
			if err != nil || string(r.Body) != m.Body {
				return fmt.Errorf("the key %s finds %.14q: %w", m.SearchKey(), r.Body, err)
			}
		}
	}
	return nil
}

// Drop removes a topic.
func (l *Ledger) Drop(s *store.Store, topic string) error {
	var dropped []*Sent
	for _, m := range l.Messages {
		if m.Key.Topic == topic {
			m.dropping = true
			dropped = append(dropped, m)
		}
	}
	if err := s.DropTopic(topic); err != nil {
		return err
	}
	for _, m := range dropped {
		m.Lost = true
	}
	return nil
}

// Revive is for a list of removed topics that is gone: the removed messages of a topic may come back.
func (l *Ledger) Revive(topic string) {
	for _, m := range l.Messages {
		m.revived = m.revived || m.dropping && m.Key.Topic == topic
	}
}

// eachOf is EachMessage that passes over what the medium has damaged.
func (l *Ledger) eachOf(s *store.Store, key store.QueueKey, each func(r *message.Record) error) error {
	for at := first(s, key); at < end(s, key); {
		next, err := readOn(s, key, at, 16, l.Gaps || l.Spoiled != nil, each)
		if (errors.Is(err, errUnreadable) || errors.Is(err, store.ErrDamaged)) && l.Spoiled != nil {
			// One by one, to see which message it is.
			next, err = readOn(s, key, at, 1, true, each)
			if err != nil && l.spoiledAt(key, at) {
				next, err = at+1, nil
			}
		}
		if err != nil {
			return err
		}
		at = next
	}
	return nil
}

func (l *Ledger) spoiledAt(key store.QueueKey, number message.QueueOffset) bool {
	for _, m := range l.Messages {
		if m.Key == key && m.Place.Queue == number && l.Spoiled(m) {
			return true
		}
	}
	return false
}

// EachMessage reads a queue from its first message to its end, as a consumer does. Messages that are cleaned away meanwhile are
// passed over.
func EachMessage(s *store.Store, key store.QueueKey, each func(r *message.Record) error) error {
	for at := first(s, key); at < end(s, key); {
		next, err := readOn(s, key, at, 16, false, each)
		if err != nil {
			return err
		}
		at = next
	}
	return nil
}

func first(s *store.Store, key store.QueueKey) message.QueueOffset {
	number, _ := s.Bounds(key)
	return number
}

func end(s *store.Store, key store.QueueKey) message.QueueOffset {
	_, number := s.Bounds(key)
	return number
}

// readOn reads the next messages of a queue, whose numbers may have gaps where the medium was damaged. It returns where to go on: at
// itself, if a file was removed just now.
func readOn(s *store.Store, key store.QueueKey, at message.QueueOffset, count int, gaps bool, each func(r *message.Record) error) (message.QueueOffset, error) {
	result, err := s.Read(store.ReadRequest{Queue: key, From: at, CountMax: count, BytesMax: 64 << 10}, nil)
	if err != nil {
		return at, err
	}
	switch result.Status {
	case store.ReadFound:
	case store.ReadMessageWasRemoving, store.ReadOffsetTooSmall:
		return result.Next, nil
	default:
		return at, fmt.Errorf("message %d: %v", at, result.Status)
	}
	number := at
	var records []*message.Record
	for r, err := range message.DecodeRecords(result.Bytes, true) {
		if err == nil && r.QueueOffset != number && (number > at || r.QueueOffset < number) && !gaps {
			err = fmt.Errorf("it says that it is message %d", r.QueueOffset)
		}
		if err != nil {
			return at, fmt.Errorf("%w: message %d: %w", errUnreadable, number, err)
		}
		records = append(records, r.Clone())
		number = r.QueueOffset + message.QueueOffset(MessagesIn(r))
	}
	if number > result.Next {
		return at, fmt.Errorf("the read on is at %d, expected %d", result.Next, number)
	}
	for _, r := range records {
		if err := each(r); err != nil {
			return at, fmt.Errorf("message %d: %w", r.QueueOffset, err)
		}
	}
	return result.Next, nil
}

// MessagesIn is how many messages a record stands for.
func MessagesIn(r *message.Record) int {
	text, ok := message.PropertyBytes(r.Properties, message.PropertyInnerCount)
	n, err := strconv.Atoi(string(text))
	if !ok || err != nil {
		return 1
	}
	return n
}

// errUnreadable: the bytes that a read returned are no messages.
var errUnreadable = errors.New("what was read cannot be decoded")
