//go:build interop

package interop_test

import (
	"fmt"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/stretchr/testify/require"
)

func TestNothingAcknowledgedToThemIsLostWhenTheBrokerIsKilled(t *testing.T) {
	withEachPeer(t, testCrash, rowCrash)
}

func testCrash(t *testing.T, p *peer) {
	c := startCluster(t, 1)
	c.makeTopic(t, "theirs", 4)
	s := c.settings("their-group").of("theirs", "")
	consumer := p.consumer(t, s)
	l := &load{producer: p.producer(t, s), bodies: map[int]string{}}
	l.untilAcknowledged(t, 1000)
	c.broker.Kill()
	// Some sends must meet a broker that is away.
	l.untilFailed(t, 1)
	c.startBroker(t)
	l.untilAcknowledged(t, 1000)
	l.producer.finish(t)
	l.producer.look(t)

	acknowledged := l.acknowledged()
	l.requireStored(t, c.stored(t, "theirs"))
	t.Logf("%d acknowledged, %d failed", len(acknowledged), len(l.producer.outcomes)-len(acknowledged))
	eventually(t, "the delivery of all that was acknowledged", func() bool {
		return among(consumer.look(t), acknowledged) == len(acknowledged)
	})
	consumer.finish(t)
}

// load keeps a peer's producer busy.
type load struct {
	producer *theirProducer
	bodies   map[int]string // by the number of the order
}

// step gives some more orders and looks at what became of the earlier ones.
func (l *load) step(t *testing.T) {
	t.Helper()
	for range 20 {
		number := len(l.bodies)
		l.bodies[number] = fmt.Sprintf("message %d", number)
		l.producer.give(t, order{Number: number, Topic: "theirs", Tag: "load", Body: []byte(l.bodies[number])})
	}
	l.producer.look(t)
}

func (l *load) untilAcknowledged(t *testing.T, more int) {
	t.Helper()
	goal := len(l.acknowledged()) + more
	eventually(t, "acknowledgements", func() bool {
		l.step(t)
		return len(l.acknowledged()) >= goal
	})
}

func (l *load) untilFailed(t *testing.T, more int) {
	t.Helper()
	failed := func() int { return len(l.producer.outcomes) - len(l.acknowledged()) }
	goal := failed() + more
	eventually(t, "a send that fails", func() bool {
		l.step(t)
		return failed() >= goal
	})
}

// acknowledged are the bodies of the messages that were.
func (l *load) acknowledged() map[string]bool {
	bodies := map[string]bool{}
	for _, o := range l.producer.outcomes {
		if o.Error == "" {
			bodies[l.bodies[o.Number]] = true
		}
	}
	return bodies
}

// requireStored demands that each acknowledged message is where its acknowledgement says.
func (l *load) requireStored(t *testing.T, stored map[slot]*gantry.Received) {
	t.Helper()
	for _, o := range l.producer.outcomes {
		if o.Error == "" {
			require.Contains(t, stored, o.slot())
			require.Equal(t, l.bodies[o.Number], string(stored[o.slot()].Body))
			require.Equal(t, o.OffsetID, stored[o.slot()].OffsetID.String())
		}
	}
}
