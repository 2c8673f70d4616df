//go:build interop

package interop_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// popDirectory is a directory that brokers of ours and of Apache's have in turn, at one address.
type popDirectory struct {
	servers
	directory string
	broker    *process
}

func newPopDirectory(t *testing.T) *popDirectory {
	t.Helper()
	d := &popDirectory{servers: servers{names: pairNames[:1], brokers: []string{freeAddress(t)}}, directory: filepath.Join(t.TempDir(), "store")}
	_, d.nameServer = startNameServer(t)
	return d
}

func (d *popDirectory) startOurs(t *testing.T) {
	t.Helper()
	var more []string
	for name, value := range fileSizes {
		more = append(more, "--"+name, value)
	}
	_, port, err := net.SplitHostPort(d.brokers[0])
	require.NoError(t, err)
	d.broker, _ = startBroker(t, d.names[0], d.nameServer, d.directory, port, more...)
}

func (d *popDirectory) startApache(t *testing.T) {
	t.Helper()
	d.broker = startApacheBroker(t, d.servers, d.directory, popping)
}

// popSome pops all messages of a topic, acknowledges those with the given offsets, one by one and as a batch, and leaves the others.
func (d *popDirectory) popSome(t *testing.T, topic string, count int, invisible time.Duration, ack, batch func(client.QueueOffset) bool) (left []*client.PoppedMessage) {
	t.Helper()
	c := d.popper(t, topic, client.WithInvisibleTime(invisible))
	var together []*client.PoppedMessage
	for _, m := range popAll(t, c, count) {
		switch {
		case ack(m.Offset):
			require.NoError(t, c.Ack(t.Context(), m))
		case batch(m.Offset):
			together = append(together, m)
		default:
			left = append(left, m)
		}
	}
	require.NoError(t, c.AckAll(t.Context(), together))
	require.NoError(t, c.Close(t.Context()))
	return left
}

func (d *popDirectory) committed(t *testing.T, topic string) client.QueueOffset {
	t.Helper()
	consumer := d.puller(t, topic)
	defer func() { require.NoError(t, consumer.Close(t.Context())) }()
	var offset client.QueueOffset
	eventually(t, "the offset of the group", func() (found bool) {
		var err error
		offset, found, err = consumer.Committed(t.Context(), gantry.Queue{Topic: topic, BrokerName: d.names[0]})
		return err == nil && found
	})
	return offset
}

// What our broker leaves behind: Apache's begins with the first message that was not acknowledged.
func TestApacheGoesOnWhereOurMembersHavePopped(t *testing.T) {
	takesMinutes(t)
	t.Parallel()
	covers(t, "ours", rowPopCrash)
	javaClient.need(t)
	takeJavaTurn(t)
	d := newPopDirectory(t)
	d.startOurs(t)
	topic := d.popTopic(t, "left-by-ours")
	want := sendAll(t, d.producer(t), topic, "left", 20)
	early := func(o client.QueueOffset) bool { return o < 5 }
	late := func(o client.QueueOffset) bool { return o == 7 || o > 17 }
	left := d.popSome(t, topic, len(want), time.Minute, early, late)
	require.Len(t, left, 12)
	require.EqualValues(t, 5, d.committed(t, topic))
	d.broker.stop(t)

	d.startApache(t)
	require.EqualValues(t, 5, d.committed(t, topic))
	// Those behind it that were acknowledged come once more.
	require.Equal(t, want[5:], poppedBodies(popAll(t, d.popper(t, topic), 15)))
}

// The reverse: the offset of the group is behind all that was popped, and what is to come again is in check points.
func TestOursGoesOnWhereApachesMembersHavePopped(t *testing.T) {
	takesMinutes(t)
	t.Parallel()
	covers(t, "java", rowPopCrash)
	javaClient.need(t)
	takeJavaTurn(t)
	d := newPopDirectory(t)
	d.startApache(t)
	topic := d.popTopic(t, "left-by-apache")
	want := sendAll(t, d.producer(t), topic, "left", 20)
	early := func(o client.QueueOffset) bool { return o < 5 }
	late := func(o client.QueueOffset) bool { return o == 7 || o > 17 }
	const invisible = 30 * time.Second
	left := d.popSome(t, topic, len(want), invisible, early, late)
	eventually(t, "Apache's broker moves the group past all of them", func() bool { return d.committed(t, topic) == 20 })
	d.broker.stopJava(t)

	d.startOurs(t)
	require.EqualValues(t, 5, d.committed(t, topic))
	// A receipt of Apache's broker is still good.
	c := d.popper(t, topic)
	require.NoError(t, c.Ack(t.Context(), left[0]))
	require.EqualValues(t, 6, d.committed(t, topic))
	again := popAll(t, c, len(left)-1)
	for i, m := range again {
		require.Equal(t, left[i+1].Body, m.Body)
		require.EqualValues(t, 1, m.Redeliveries)
		require.False(t, time.Now().Before(left[0].InvisibleUntil()), "it was hidden")
	}
	require.NoError(t, c.AckAll(t.Context(), again))
	d.requireConsumed(t, topic, len(want))
	d.broker.stop(t)
	d.startOurs(t)
	popsNothing(t, d.popper(t, topic), 5*time.Second)
}

// What Apache's broker hands out once more is in a topic of its own by then. It is killed, as soon as its file says that the group is behind that.
func TestOursGoesOnWhereApachesBrokerWasKilled(t *testing.T) {
	takesMinutes(t)
	t.Parallel()
	covers(t, "java", rowPopCrash)
	javaClient.need(t)
	takeJavaTurn(t)
	d := newPopDirectory(t)
	d.startApache(t)
	topic := d.popTopic(t, "killed-apache")
	want := sendAll(t, d.producer(t), topic, "killed", 6)
	none := func(client.QueueOffset) bool { return false }
	require.Len(t, d.popSome(t, topic, len(want), 5*time.Second, func(o client.QueueOffset) bool { return o < 2 }, none), 4)
	c := d.popper(t, topic, client.WithInvisibleTime(30*time.Second))
	again := popAll(t, c, 4)
	require.EqualValues(t, 1, again[0].Redeliveries)
	require.NoError(t, c.Ack(t.Context(), again[0]))
	saved := regexp.MustCompile(`%RETRY%` + topic + `_` + topic + `@` + topic + `":\s*\{\s*0:\s*4\b`)
	eventually(t, "Apache's broker saves its offsets", func() bool {
		content, err := os.ReadFile(filepath.Join(d.directory, "config", "consumerOffset.json"))
		return err == nil && saved.Match(content)
	})
	require.NoError(t, c.Close(t.Context()))
	d.broker.Kill()

	d.startOurs(t)
	after := d.popper(t, topic)
	third := popAll(t, after, 3)
	require.Equal(t, poppedBodies(again[1:]), poppedBodies(third))
	for _, m := range third {
		require.EqualValues(t, 2, m.Redeliveries)
		require.Equal(t, topic, m.Topic)
	}
	require.NoError(t, after.AckAll(t.Context(), third))
	popsNothing(t, after, 5*time.Second)
}

// stopJava ends a virtual machine in order; its exit code then tells the signal.
func (p *process) stopJava(t *testing.T) {
	t.Helper()
	_, err := p.Stop(syscall.SIGTERM)
	require.NoError(t, err)
}
