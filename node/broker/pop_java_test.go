package broker_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// javaDirectory is a directory that a Java broker left at a time. Group g is behind the ten messages of orders, queue 1, all of which were popped.
type javaDirectory struct {
	*world
	at int64 // wall milliseconds
}

const reviveTopic = "rmq_sys_REVIVE_LOG_DefaultCluster"

func newJavaDirectory(t *testing.T) *javaDirectory {
	t.Helper()
	w := newWorld(t)
	w.sendOrders(0, 10)
	w.pop() // by this there is the group
	w.succeeds(commitRequest("g", "orders", 1, 10))
	w.pass(10 * time.Second)
	w.close()
	w.machine.Crash(sim.KillProcess)
	return &javaDirectory{w, int64(w.machine.Wall())}
}

// note is a record of what the Java broker has noted of pops, due at a time, that was delivered or waits.
func (d *javaDirectory) note(tag string, due int64, format string, values ...any) message.Record {
	host := netip.MustParseAddrPort(address)
	r := message.Record{BornHost: host, StoreHost: host, Topic: []byte(reviveTopic), Body: fmt.Appendf(nil, format, values...), Properties: []byte("TAGS\x01" + tag + "\x02")}
	if due >= d.at {
		r.Topic = []byte(proto.TimerTopic)
		r.Properties = append(r.Properties, "TIMER_OUT_MS\x01"+strconv.FormatInt(due, 10)+"\x02REAL_TOPIC\x01"+reviveTopic+"\x02REAL_QID\x010\x02"...)
	}
	return r
}

// checkPoint is a check point of messages of orders, queue 1.
func (d *javaDirectory) checkPoint(at int64, invisible time.Duration, start int64, differences ...int64) message.Record {
	return d.note("ck", at+invisible.Milliseconds()-1000, `{"bm":0,"bn":"broker-a","c":"g","d":%s,"it":%d,"n":%d,"pt":%d,"q":1,"ro":0,"rt":%d,"so":%d,"t":"orders"}`,
		strings.ReplaceAll(fmt.Sprint(differences), " ", ","), invisible.Milliseconds(), len(differences), at, at+invisible.Milliseconds(), start)
}

func (d *javaDirectory) ack(at int64, invisible time.Duration, start, offset int64) message.Record {
	return d.note("ack", at+invisible.Milliseconds(), `{"ao":%d,"bn":"broker-a","c":"g","pt":%d,"q":1,"so":%d,"t":"orders"}`, offset, at, start)
}

// put writes the records, and until when the Java broker ran.
func (d *javaDirectory) put(records ...message.Record) {
	d.t.Helper()
	e := d.machine.Boot("java")
	done, err := false, error(nil)
	e.Tasks.Go("put", func() {
		var s *store.Store
		if s, err = store.Open(e, d.options.Store); err == nil {
			for _, r := range records {
				s.Append(store.QueueKey{Topic: string(r.Topic), ID: 0}, []message.Record{r}, ignored{})
			}
			s.Kick()
			err = s.Close()
		}
		done = true
	})
	d.kernel.Run(d.kernel.Now().Add(time.Minute), func() bool { return done })
	require.NoError(d.t, err)
	require.True(d.t, done, "%v", d.kernel.Failure())
	d.machine.Shutdown()
	d.write("config/timercheck", string(binary.BigEndian.AppendUint64(nil, uint64(d.at)))+strings.Repeat("\x00", 48))
}

type ignored struct{}

func (ignored) Appended(store.AppendResult) {}

// putTwoPops leaves 0 and 2 of a pop whose time is over, and 3 and 8 of one that is hidden for 50 s more.
func (d *javaDirectory) putTwoPops(early, late int64) {
	const minute = time.Minute
	d.put(
		// Nobody had dealt with it.
		d.checkPoint(early, minute, 0, 0, 1, 2), d.ack(early, minute, 0, 1),
		// It waits, with its acknowledgements: one by one, and many.
		d.checkPoint(late, minute, 3, 0, 1, 3, 5), d.ack(late, minute, 3, 4),
		d.note("bAck", late+60_000, `{"aol":[6,100],"ao":0,"bn":"broker-a","c":"g","pt":%d,"q":1,"so":3,"t":"orders"}`, late),
		// Nobody can do anything with these.
		d.note("ck", late+60_000, `{"c":"nobody","n":1,"pt":%d,"q":1,"so":0,"t":"orders"}`, late), d.note("ck", late+60_000, `{`), d.note("what", late+60_000, `{}`),
	)
}

func TestWhatAJavaBrokerHasInFlightComesAgain(t *testing.T) {
	d := newJavaDirectory(t)
	early, late := d.at-90_000, d.at-10_000
	d.putTwoPops(early, late)
	d.start()
	require.EqualValues(t, 0, d.floor())
	require.Equal(t, []string{"0", "2"}, bodiesIn(d.pop()))
	d.popsNothing()
	// Receipts of the Java broker are good.
	held := taken{receipt: proto.PopReceipt{StartOffset: 3, PoppedAt: late, InvisibleMillis: 60_000, BrokerName: "broker-a", QueueID: 1, QueueOffset: 8}}
	d.succeeds(ackRequest(held))
	d.pass(50 * time.Second)
	again := d.pop(atMost(1))
	require.Equal(t, []string{"3"}, bodiesIn(again))
	require.EqualValues(t, 1, again[0].redeliveries)
	d.succeeds(ackRequest(again[0]))

	// Once is enough.
	d.restart(sim.PowerLoss)
	d.pass(2 * time.Minute)
	require.Equal(t, []string{"0", "2"}, bodiesIn(d.pop()))
	require.Len(t, d.bodiesOf(reviveTopic, 0), 2, "what was taken over is not delivered")
}

// Wherever a start is cut off, the next one has it all.
func TestCrashesLoseNothingThatAJavaBrokerHasInFlight(t *testing.T) {
	d := newJavaDirectory(t)
	d.putTwoPops(d.at-90_000, d.at-10_000)
	d.slowDisk(time.Millisecond)
	for i := range time.Duration(60) {
		e := d.machine.Boot("broker")
		b, err := broker.New(e, d.options)
		require.NoError(t, err)
		e.Tasks.Go("start", func() { _ = b.Start() })
		d.kernel.Run(d.kernel.Now().Add(i*time.Millisecond), func() bool { return false })
		d.machine.Crash(sim.PowerLoss)
	}
	d.start()
	require.EqualValues(t, 0, d.floor())
	d.pass(time.Minute)
	require.Equal(t, []string{"0", "2", "3", "8"}, bodiesIn(d.pop()))
}

// A Java broker begins at the offset of the group, and so has again what was in flight here. What it says then counts.
func TestWhatAJavaBrokerHasDoneSinceCounts(t *testing.T) {
	d := newJavaDirectory(t)
	d.start()
	d.sendOrders(10, 12)
	list := d.pop()
	require.Equal(t, []string{"10", "11"}, bodiesIn(list))
	d.close()
	d.machine.Crash(sim.KillProcess)
	d.at = int64(d.machine.Wall())
	d.put(d.checkPoint(d.at-1000, time.Minute, 10, 0, 1), d.ack(d.at-1000, time.Minute, 10, 10))
	d.write("config/consumerOffset.json", `{"offsetTable":{"orders@g":{1:12}}}`)
	d.start()
	d.refused(ackRequest(list[1]), proto.RespNoMessage, "handed out again since")
	d.pass(time.Minute)
	require.Equal(t, []string{"11"}, bodiesIn(d.pop()))
	require.EqualValues(t, 11, d.floor())
}
