package client_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

const traceTopic = "RMQ_SYS_TRACE_TOPIC"

// tracedCluster stores orders at one broker and traces at the other.
func tracedCluster(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(1, c.a)
	c.names.routes[traceTopic] = route(1, c.b)
	return c
}

// traces are the records that arrived, each as its fields.
func (c *cluster) traces() [][]string {
	var records [][]string
	for _, s := range c.b.sends {
		for _, record := range strings.SplitAfter(string(s.body), "\x02") {
			if record != "" {
				records = append(records, strings.Split(strings.TrimSuffix(record, "\x02"), "\x01"))
			}
		}
	}
	return records
}

func TestStoredMessagesAreTraced(t *testing.T) {
	c := tracedCluster(t)
	var result client.SendResult
	var batch []client.SendResult
	c.run(time.Minute, func() {
		p := c.producer(client.WithTrace(client.TraceOptions{}))
		var err error
		result, err = p.Send(background, client.NewMessage("orders", []byte("hello"), client.Tag("paid"), client.Keys("o-1", "o-2")))
		must(err)
		batch, err = p.SendBatch(background, []*client.Message{hello(), client.NewMessage("orders", []byte("x"), client.Tag("t"))})
		must(err)
		must(p.SendOneway(background, hello()))
		must(p.Close(background))
	})
	require.Len(t, c.b.sends, 1, "all in one message")
	require.Equal(t, traceTopic, c.b.sends[0].header.Topic)
	require.Equal(t, "_INNER_TRACE_PRODUCER-producers-PRODUCE-1", c.b.sends[0].header.ProducerGroup)
	require.Equal(t, strings.Join([]string{result.UniqueID, "o-1", "o-2", batch[0].UniqueID, batch[1].UniqueID}, " "), c.b.sends[0].property("KEYS"))
	records := c.traces()
	require.Len(t, records, 3, "of a oneway send nothing is known")
	first := records[0]
	require.Len(t, first, 14)
	first[1], first[10] = "time", "cost"
	require.Equal(t, []string{"Pub", "time", "DefaultRegion", "producers", "orders", result.UniqueID, "paid", "o-1 o-2", c.a.address, "5",
		"cost", "0", result.OffsetID, "true"}, first)
	require.Equal(t, []string{batch[1].UniqueID, "t", "", c.a.address, "1"}, records[2][5:10])
	require.Equal(t, batch[1].OffsetID, records[2][12])
	require.Empty(t, c.machine.TaskNames())
}

func TestEachMessageOfABatchBearsItsShareOfTheTime(t *testing.T) {
	c := tracedCluster(t)
	c.a.intercept = func(in *transportIncoming) bool {
		if in.Command.Code == proto.ReqSendBatchMessage {
			c.a.env.Tasks.Sleep(900 * time.Millisecond)
		}
		return false
	}
	c.run(time.Minute, func() {
		p := c.producer(client.WithTrace(client.TraceOptions{}))
		_, err := p.SendBatch(background, []*client.Message{hello(), hello(), hello()})
		must(err)
		must(p.Close(background))
	})
	for _, record := range c.traces() {
		cost, err := strconv.Atoi(record[10])
		require.NoError(t, err)
		require.InDelta(t, 300, cost, 10, "milliseconds")
	}
}

func TestTracesGoWhenThereAreEnoughOrWhenTheyAreOld(t *testing.T) {
	c := tracedCluster(t)
	var after []int
	c.run(time.Minute, func() {
		p := c.producer(client.WithTrace(client.TraceOptions{Records: 4}))
		for range 5 {
			_, err := p.Send(background, hello())
			must(err)
		}
		c.app.Tasks.Sleep(time.Second)
		after = append(after, len(c.traces()))
		c.app.Tasks.Sleep(5 * time.Second)
		after = append(after, len(c.traces()))
	})
	require.Equal(t, []int{4, 5}, after)
}

func TestWhatIsNotTraced(t *testing.T) {
	for name, send := range map[string]struct {
		topic  string
		answer func(*transportIncoming) bool
	}{
		"the broker wants none": {"orders", func(in *transportIncoming) bool {
			if in.Command.Code != proto.ReqSendMessageV2 {
				return false
			}
			in.Reply().Send(proto.RespSuccess, &proto.SendMessageResponse{OffsetID: "x", TraceOff: true}, nil)
			return true
		}},
		"it failed":        {"orders", refusing(proto.ReqSendMessageV2, proto.RespMessageIllegal)},
		"a trace":          {traceTopic, nil},
		"a topic like one": {traceTopic + "_2", nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := tracedCluster(t)
			c.names.routes[send.topic] = route(1, c.a)
			c.a.intercept = send.answer
			c.run(time.Minute, func() {
				p := c.producer(client.WithTrace(client.TraceOptions{}))
				_, _ = p.Send(background, client.NewMessage(send.topic, []byte("x")))
				must(p.Close(background))
			})
			require.Len(t, c.a.sends, 1)
			require.Empty(t, c.b.sends)
		})
	}
}

func TestATraceOfAnUnsafeMessageSaysSo(t *testing.T) {
	c := tracedCluster(t)
	c.a.intercept = func(in *transportIncoming) bool {
		if in.Command.Code != proto.ReqSendMessageV2 {
			return false
		}
		in.Reply().Send(proto.RespSlaveNotAvailable, &proto.SendMessageResponse{OffsetID: "x", Region: "north"}, nil)
		return true
	}
	c.run(time.Minute, func() {
		p := c.producer(client.WithTrace(client.TraceOptions{Topic: traceTopic}))
		_, err := p.Send(background, hello())
		must(err)
		must(p.Close(background))
	})
	require.Equal(t, "north", c.traces()[0][2])
	require.Equal(t, "false", c.traces()[0][13])
}

func TestTracesThatCannotBeSentHoldUpNothing(t *testing.T) {
	c := tracedCluster(t)
	c.b.intercept = silent
	core, logs := observer.New(zap.WarnLevel)
	c.app.Log = zap.New(core)
	var sending, closing time.Duration
	c.run(time.Hour, func() {
		p := c.producer(client.WithTrace(client.TraceOptions{}))
		began := c.app.Clock.Now()
		for i := range 3000 {
			_, err := p.Send(background, client.NewMessage("orders", []byte("x"), client.Keys(fmt.Sprint(i))))
			must(err)
		}
		sending = c.app.Clock.Now().Sub(began)
		began = c.app.Clock.Now()
		must(p.Close(background))
		closing = c.app.Clock.Now().Sub(began)
	})
	require.Less(t, sending, 5*time.Second)
	require.Less(t, closing, 12*time.Second)
	require.LessOrEqual(t, len(distinct(keysOf(c.b.sends))), (2048+160+10)/10)
	lost := int64(0)
	for _, complaint := range logs.FilterMessageSnippet("faster than").All() {
		lost += complaint.ContextMap()["lost"].(int64)
	}
	require.InDelta(t, 3000-2048-160, lost, 20, "what found no room was dropped, and counted")
	require.Empty(t, c.machine.TaskNames())
}

func keysOf(sends []sent) []string {
	var keys []string
	for _, s := range sends {
		keys = append(keys, s.property("KEYS"))
	}
	return keys
}

func TestTheTracingProducerIsAClientOfItsOwn(t *testing.T) {
	c := tracedCluster(t)
	c.run(time.Minute, func() {
		for _, name := range []string{"", "mine"} {
			options := []client.ProducerOption{client.WithTrace(client.TraceOptions{Records: 1})}
			if name != "" {
				options = append(options, client.WithInstanceName(name))
			}
			p := c.producer(options...)
			_, err := p.Send(background, hello())
			must(err)
			c.app.Tasks.Sleep(time.Second)
			must(p.Close(background))
		}
	})
	ids := map[string]bool{}
	for _, h := range append(c.a.heartbeats, c.b.heartbeats...) {
		ids[h.ClientID] = true
	}
	require.Len(t, ids, 4)
	require.Contains(t, ids, "10.0.9.1@PID_CLIENT_INNER_TRACE_PRODUCER_mine")
}
