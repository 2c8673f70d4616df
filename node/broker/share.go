package broker

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/replica"
)

// shared tells the copies of an elected master of each change of the config directory, in order, and waits until all of the in-sync set have it. So what was
// answered about topics, groups and offsets is as safe as messages are.
type shared struct {
	broker    *Broker
	number    uint64 // of the last change
	listeners []*tableListener
	moved     env.Cond // more is confirmed, or copies are not waited for any more
}

// tableListener is the connection of a copy that takes changes.
type tableListener struct {
	changes []*replica.Change // not sent yet
	bytes   int
	wake    func()
	overrun bool // there were too many for its memory: it has to begin again
}

// listenerBytesMax bounds the changes that wait for one copy.
const listenerBytesMax = 64 << 20

// newShared counts from 1: a copy that says 0 has not got the tables yet.
func newShared(b *Broker) *shared {
	return &shared{broker: b, number: 1, moved: b.env.Tasks.NewCond()}
}

// listen begins to gather changes. number is that of the last one before.
func (s *shared) listen(wake func()) (l *tableListener, number uint64) {
	l = &tableListener{wake: wake}
	s.listeners = append(s.listeners, l)
	return l, s.number
}

func (s *shared) leave(l *tableListener) {
	s.listeners = slices.DeleteFunc(s.listeners, func(other *tableListener) bool { return other == l })
}

// take returns the changes that wait.
func (l *tableListener) take() []*replica.Change {
	changes := l.changes
	l.changes, l.bytes = nil, 0
	return changes
}

// tell gives a change that is durable here to all copies.
func (s *shared) tell(c *replica.Change) {
	s.number++
	c.Number = s.number
	for _, l := range s.listeners {
		if l.bytes += len(c.Bytes); l.bytes > listenerBytesMax {
			l.overrun, l.changes = true, nil
		}
		if !l.overrun {
			l.changes = append(l.changes, c)
		}
		l.wake()
	}
}

// errNotShared: a change is durable here, and not known to be at enough copies.
var errNotShared = errors.New("other copies took longer than slaveTimeout to have it")

// share tells a change and waits until all of the in-sync set have it.
func (s *shared) share(c *replica.Change) error {
	b := s.broker
	if b.copies.leader == nil || b.copies.over {
		return nil
	}
	s.tell(c)
	b.copies.moved()
	deadline := b.env.Clock.Now().Add(b.options.Replication.WaitFor)
	for number := c.Number; b.copies.leader.ConfirmedTable() < number; {
		if b.copies.over || b.copies.abandoned || !s.moved.WaitUntil(deadline) && deadline.Reached(b.env.Clock.Now()) {
			return fmt.Errorf("%s: %w: %w", c.Name, errInDoubt, errNotShared)
		}
	}
	return nil
}

// saveTable replaces a file of the config directory, here and at all of the in-sync set. The errors are those of saveDocument.
func (b *Broker) saveTable(name string, content []byte) error {
	if err := saveDocument(b.env.Disk, name, content); err != nil {
		return err
	}
	return b.shared.share(&replica.Change{Operation: replica.OperationPut, Name: name, Bytes: content})
}

// shareAppend is for a file whose end was written: the bytes stand at a place, and are durable here.
func (b *Broker) shareAppend(name string, at int64, p []byte) error {
	return b.shared.share(&replica.Change{Operation: replica.OperationAppend, Name: name, At: at, Bytes: slices.Clone(p)})
}

// sharePut is for a file that was written otherwise than by saveTable.
func (b *Broker) sharePut(name string, content []byte) error {
	return b.shared.share(&replica.Change{Operation: replica.OperationPut, Name: name, Bytes: content})
}
