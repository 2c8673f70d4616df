//go:build interop

package interop_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
)

// letter is a message that a test has put into a store.
type letter struct {
	Topic        string            `json:"topic"`
	Queue        int32             `json:"queue"`
	Body         []byte            `json:"body"` // base64
	Properties   map[string]string `json:"properties"`
	UserFlags    int32             `json:"userFlags"`
	SysFlags     message.SysFlags  `json:"sysFlags"`
	BornAt       int64             `json:"bornAt"`
	BornHost     netip.AddrPort    `json:"bornHost"`
	StoreHost    netip.AddrPort    `json:"storeHost"`
	Redeliveries int32             `json:"redeliveries"`
	PreparedAt   int64             `json:"preparedAt"`
	Messages     int64             `json:"-"` // for which it stands; more than 1 in an inner batch
}

func (l *letter) key() store.QueueKey { return store.QueueKey{Topic: l.Topic, ID: l.Queue} }

// hidden: consumers are given neither half messages nor rollbacks.
func (l *letter) hidden() bool {
	transaction := l.SysFlags.Transaction()
	return transaction == message.TransactionPrepared || transaction == message.TransactionRolledBack
}

// keys are those by which it can be found.
func (l *letter) keys() []string {
	if l.SysFlags.Transaction() == message.TransactionRolledBack {
		return nil
	}
	keys := strings.Fields(l.Properties[message.PropertyKeys])
	if id, ok := l.Properties[message.PropertyUniqueID]; ok {
		keys = append(keys, id)
	}
	return keys
}

// scheduleTopic holds delayed messages; the queue is the level less 1.
const scheduleTopic = "SCHEDULE_TOPIC_XXXX"

// delayMillis are those of the levels from 1 on, as far as tests use them.
var delayMillis = []int64{1_000, 5_000, 10_000}

// tagHash is what its queue entry has: for a delayed message not the hash of its tag, but when it is due.
func (l *letter) tagHash(storedAt int64) int64 {
	if l.Topic == scheduleTopic {
		return storedAt + delayMillis[l.Queue]
	}
	if tag := l.Properties[message.PropertyTags]; tag != "" {
		return message.TagHash([]byte(tag))
	}
	return 0
}

// record is it as Gantry takes it.
func (l *letter) record() message.Record {
	var properties message.Properties
	// Their order is of no meaning, but the same letter has always the same bytes.
	for _, name := range slices.Sorted(maps.Keys(l.Properties)) {
		properties.Set(name, l.Properties[name])
	}
	encoded, err := properties.Append(nil)
	if err != nil {
		panic(err)
	}
	return message.Record{
		Topic: []byte(l.Topic), QueueID: l.Queue, Body: l.Body, Properties: encoded, UserFlags: l.UserFlags, SysFlags: l.SysFlags,
		BornAt: l.BornAt, BornHost: l.BornHost, StoreHost: l.StoreHost, Redeliveries: l.Redeliveries, PreparedAt: message.LogOffset(l.PreparedAt),
	}
}

// batchTopic is the one whose records may hold several messages.
const batchTopic = "parcels"

// The topic that takes two bytes for its length makes records of the second version.
var topics = []store.QueueKey{
	{Topic: "orders", ID: 0}, {Topic: "orders", ID: 0}, {Topic: "orders", ID: 1}, {Topic: "orders", ID: 2},
	{Topic: "%RETRY%billing", ID: 0}, {Topic: strings.Repeat("long-topic-", 18), ID: 7},
	{Topic: batchTopic, ID: 3}, {Topic: batchTopic, ID: 3},
}

// "Aa" and "BB" have the same hash, the hash of "polygenelubricants" is the smallest number there is.
var tags = []string{"", "red", "Aa", "BB", "grün", "polygenelubricants"}

var hosts = []netip.AddrPort{
	netip.MustParseAddrPort("10.1.2.3:10911"), netip.MustParseAddrPort("[2001:db8::17]:40000"), netip.MustParseAddrPort("192.0.2.255:65535"),
}

// writer makes letters, no two of them equal.
type writer struct {
	random *rand.Rand
	made   int
}

func newWriter(seed uint64) *writer { return &writer{random: rand.New(rand.NewPCG(seed, 0))} }

// letters makes the next n.
func (w *writer) letters(n int) []letter {
	all := make([]letter, n)
	for i := range all {
		all[i] = w.letter()
		w.made++
	}
	return all
}

func (w *writer) letter() letter {
	key := topics[w.random.IntN(len(topics))]
	l := letter{
		Topic: key.Topic, Queue: key.ID, Body: w.body(), Properties: w.properties(), UserFlags: int32(w.random.Uint32()),
		BornAt: 1_700_000_000_000 + int64(w.made), Redeliveries: int32(w.random.IntN(3)),
		BornHost: hosts[w.random.IntN(len(hosts))], StoreHost: hosts[w.random.IntN(len(hosts))], Messages: 1,
	}
	if key.Topic == batchTopic && w.random.IntN(3) > 0 {
		l.Messages = 1 + w.random.Int64N(40)
		l.SysFlags = message.FlagInnerBatch | message.FlagNeedsUnwrap
		l.Properties[message.PropertyInnerCount] = strconv.FormatInt(l.Messages, 10)
		return l
	}
	if w.random.IntN(10) == 0 {
		// The second half of a transaction, which consumers are given.
		l.SysFlags, l.PreparedAt = message.SysFlags(message.TransactionCommitted), int64(w.made)
	}
	return l
}

// body is mostly short, seldom a few KiB, and sometimes nothing.
func (w *writer) body() []byte {
	if w.random.IntN(40) == 0 {
		return []byte{}
	}
	size := w.random.IntN(600)
	if w.random.IntN(8) == 0 {
		size = 2048 + w.random.IntN(6000)
	}
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(w.random.Uint32())
	}
	return fmt.Appendf(body, "letter %d", w.made)
}

// properties have a key of its own, one that 30 letters share, and a unique id; not all of them have all.
func (w *writer) properties() map[string]string {
	properties := map[string]string{"colour": "žlutá"}
	if w.made%7 != 0 {
		properties[message.PropertyUniqueID] = fmt.Sprintf("7F0000010B1C18B4AAC2%012X", w.made)
	}
	if w.made%3 != 0 {
		properties[message.PropertyKeys] = fmt.Sprintf("letter-%d day-%d", w.made, w.made/30)
	}
	if tag := tags[w.random.IntN(len(tags))]; tag != "" {
		properties[message.PropertyTags] = tag
	}
	return properties
}
