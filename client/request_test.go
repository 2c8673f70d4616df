package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// pushed is what a broker pushes to who asked.
type pushed struct {
	after  time.Duration
	flags  message.SysFlags
	body   []byte
	change func(h *proto.PushReplyMessage)
	// The outcome.
	answer *wire.Command
	err    error
}

// push hands a reply to a request over a connection.
func (b *broker) push(conn *transport.Conn, request sent, r *pushed) {
	h := &proto.PushReplyMessage{
		ProducerGroup: "answerers", Topic: "c_REPLY_TOPIC", DefaultTopic: proto.DefaultTopic, DefaultQueues: 4, QueueID: 3,
		SysFlags: int32(r.flags), BornAt: 1000, UserFlags: 5, BornHost: "/10.0.0.77:4711", StoreHost: b.address, StoredAt: 2000, Redeliveries: 1,
		Properties: "CORRELATION_ID\x01" + request.property(message.PropertyCorrelation) + "\x02MSG_TYPE\x01reply\x02",
	}
	if r.change != nil {
		r.change(h)
	}
	b.env.Tasks.Sleep(r.after)
	r.answer, r.err = conn.Call(nil, &transport.Request{Code: proto.ReqPushReplyMessageToClient, Header: h, Body: r.body}, b.env.Clock.Now().Add(5*time.Second))
}

// replies makes a broker store requests, and answer each over the connection by which it came.
func (b *broker) replies(make func(request sent) *pushed) {
	b.intercept = func(in *transportIncoming) bool {
		if in.Command.Code == proto.ReqSendMessageV2 {
			request, conn := b.sends[len(b.sends)-1], in.Conn
			if r := make(request); r != nil {
				b.env.Tasks.Go("reply", func() { b.push(conn, request, r) })
			}
		}
		return false
	}
}

// onlyBrokerA leaves one broker in the route.
func onlyBrokerA(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t, 1)
	c.names.routes["orders"] = route(2, c.a)
	return c
}

func TestARequestGetsItsReply(t *testing.T) {
	c := onlyBrokerA(t)
	r := &pushed{after: time.Second, body: []byte("yes")}
	c.a.replies(func(sent) *pushed { return r })
	var reply *client.Received
	m := client.NewMessage("orders", []byte("how many?"), client.Tag("t"), client.Property("CORRELATION_ID", "mine"))
	before := m.String()
	c.run(20*time.Second, func() {
		p := c.producer()
		var err error
		reply, err = p.Request(background, m, 5*time.Second)
		must(err)
		must(p.Close(background))
	})
	require.Empty(t, c.machine.TaskNames())
	require.Equal(t, before, m.String())
	require.Equal(t, "mine", m.Properties.Get("CORRELATION_ID"), "the message is the caller's")

	request := c.a.sends[0]
	require.Equal(t, c.a.heartbeats[0].ClientID, request.property("REPLY_TO_CLIENT"))
	require.Equal(t, "producers", c.a.heartbeats[0].Producers[0].Group)
	require.Regexp(t, "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", request.property("CORRELATION_ID"))
	left, err := strconv.Atoi(request.property("TTL"))
	require.NoError(t, err)
	require.InDelta(t, 5000, left, 100)
	require.Equal(t, "t", request.property("TAGS"))
	require.Less(t, indexOf(c.a.codes, proto.ReqHeartbeat), indexOf(c.a.codes, proto.ReqSendMessageV2), "the broker knew the client before")

	require.NoError(t, r.err)
	require.Zero(t, r.answer.Code)
	require.Equal(t, "yes", string(reply.Body))
	require.Equal(t, client.Queue{Topic: "c_REPLY_TOPIC", QueueID: 3}, reply.Queue)
	require.EqualValues(t, 5, reply.UserFlags)
	require.EqualValues(t, 1, reply.Redeliveries)
	require.Equal(t, "10.0.0.77:4711", reply.BornHost.String())
	require.Equal(t, c.a.address, reply.StoreHost.String())
	require.Equal(t, int64(1000), reply.BornAt.UnixMilli())
	require.Equal(t, int64(2000), reply.StoredAt.UnixMilli())
	require.NotEmpty(t, reply.Properties.Get("ARRIVE_TIME"))
}

func indexOf(codes []int32, code int32) int {
	for i, c := range codes {
		if c == code {
			return i
		}
	}
	return len(codes)
}

func TestEachOfManyRequestsGetsItsOwnReply(t *testing.T) {
	c := newCluster(t, 1)
	for _, b := range []*broker{c.a, c.b} {
		b.replies(func(request sent) *pushed {
			// Later ones are answered sooner.
			n, err := strconv.Atoi(string(request.body))
			must(err)
			return &pushed{after: time.Duration(100-n) * time.Millisecond, body: request.body}
		})
	}
	got := map[string]string{}
	c.run(20*time.Second, func() {
		p := c.producer()
		for i := range 50 {
			body := strconv.Itoa(i)
			must(p.RequestAsync(background, client.NewMessage("orders", []byte(body)), 3*time.Second, func(r *client.Received, err error) {
				must(err)
				got[body] = string(r.Body)
			}))
		}
		c.eventually("all replies", func() bool { return len(got) == 50 })
		must(p.Close(background))
	})
	for asked, answered := range got {
		require.Equal(t, asked, answered)
	}
	require.NotEmpty(t, c.b.sends)
}

func TestACompressedReplyIsUnpacked(t *testing.T) {
	c := onlyBrokerA(t)
	long := bytes.Repeat([]byte("yes"), 1000)
	var compressor message.Compressor
	packed, err := compressor.Append(nil, long, message.CompressionZlib, 5)
	require.NoError(t, err)
	good := &pushed{flags: message.SysFlags(0).WithCompression(message.CompressionZlib), body: packed}
	bad := &pushed{flags: good.flags, body: []byte("nonsense")}
	next := good
	c.a.replies(func(sent) *pushed { return next })
	var reply *client.Received
	var unreadable, tooLong error
	c.run(20*time.Second, func() {
		p := c.producer()
		var err error
		reply, err = p.Request(background, hello(), 3*time.Second)
		must(err)
		next = bad
		_, unreadable = p.Request(background, hello(), 3*time.Second)
		next = &pushed{flags: good.flags, body: packed}
		_, tooLong = c.producer(client.WithDecompressionLimit(2999)).Request(background, hello(), 3*time.Second)
	})
	require.Equal(t, long, reply.Body)
	require.Zero(t, good.answer.Code)
	for _, err := range []error{unreadable, tooLong} {
		require.ErrorIs(t, err, client.ErrNoReply)
		require.NotErrorIs(t, err, client.ErrTimeout)
		require.ErrorContains(t, err, "cannot be unpacked")
	}
	require.EqualValues(t, proto.RespSystemError, bad.answer.Code)
}

func TestARequestWithoutAReplyEndsInTime(t *testing.T) {
	c := onlyBrokerA(t)
	late := &pushed{after: 3 * time.Second}
	stranger := &pushed{change: func(h *proto.PushReplyMessage) { h.Properties = "CORRELATION_ID\x01another\x02" }}
	nameless := &pushed{change: func(h *proto.PushReplyMessage) { h.Properties = "" }}
	next := []*pushed{late, stranger, nameless}
	c.a.replies(func(sent) *pushed {
		r := next[0]
		next = next[1:]
		return r
	})
	var timeout, context1, context2 error
	c.run(20*time.Second, func() {
		p := c.producer()
		began := c.app.Clock.Now()
		_, timeout = p.Request(background, hello(), 2*time.Second)
		if took := c.app.Clock.Now().Sub(began); took < 2*time.Second || took > 2100*time.Millisecond {
			panic(took)
		}
		_, context1 = p.Request(within(c, time.Second), hello(), time.Hour)
		must(p.RequestAsync(within(c, time.Second), hello(), time.Hour, func(_ *client.Received, err error) { context2 = err }))
		c.app.Tasks.Sleep(2 * time.Second)
		must(p.Close(background))
	})
	for _, err := range []error{timeout, context1, context2} {
		require.ErrorIs(t, err, client.ErrNoReply)
	}
	require.ErrorIs(t, timeout, client.ErrTimeout)
	require.ErrorContains(t, timeout, "was stored, and waited")
	require.ErrorIs(t, context1, context.DeadlineExceeded)
	require.ErrorIs(t, context2, client.ErrTimeout, "the deadline still counts, the context does not")
	ttl, err := strconv.Atoi(c.a.sends[1].property("TTL"))
	require.NoError(t, err)
	require.LessOrEqual(t, ttl, 1000)
	for _, r := range []*pushed{late, stranger, nameless} {
		require.NoError(t, r.err)
		require.Zero(t, r.answer.Code, "what nobody waits for must not be sent again")
	}
}

func TestCloseEndsTheWaitingForReplies(t *testing.T) {
	c := onlyBrokerA(t)
	var outcomes []error
	note := func(_ *client.Received, err error) { outcomes = append(outcomes, err) }
	var refused error
	c.run(5*time.Second, func() {
		p := c.producer()
		for range 3 {
			must(p.RequestAsync(background, hello(), time.Hour, note))
		}
		c.app.Tasks.Go("wait", func() { note(p.Request(background, hello(), time.Hour)) })
		c.eventually("all are stored", func() bool { return len(c.a.sends) == 4 })
		c.app.Tasks.Sleep(100 * time.Millisecond)
		must(p.Close(background))
		refused = p.RequestAsync(background, hello(), time.Hour, note)
	})
	require.Len(t, outcomes, 4)
	for _, err := range append(outcomes, refused) {
		require.ErrorIs(t, err, client.ErrClosed)
	}
	require.Empty(t, c.machine.TaskNames())
}

func TestRequestsThatCannotBeAreRefusedAtOnce(t *testing.T) {
	c := onlyBrokerA(t)
	c.a.intercept = silent
	var errs []error
	c.run(20*time.Second, func() {
		p := c.producer(client.WithRequestLimit(2))
		try := func(m *client.Message, timeout time.Duration) {
			_, err := p.Request(background, m, timeout)
			errs = append(errs, err, p.RequestAsync(background, m, timeout, func(*client.Received, error) { panic("called") }))
		}
		try(nil, time.Second)
		try(client.NewMessage("orders", nil), time.Second)
		try(hello(), 0)
		ended := 0
		for range 2 {
			must(p.RequestAsync(background, hello(), time.Second, func(*client.Received, error) { ended++ }))
		}
		try(hello(), time.Second)
		c.eventually("there is room again", func() bool { return ended == 2 })
		must(p.RequestAsync(background, hello(), time.Second, func(*client.Received, error) { ended++ }))
		c.eventually("the last one", func() bool { return ended == 3 })
	})
	for i, want := range []error{client.ErrMessage, client.ErrMessage, client.ErrOption, client.ErrBusy} {
		require.ErrorIs(t, errs[2*i], want)
		require.ErrorIs(t, errs[2*i+1], want)
	}
	_, err := client.NewProducer(c.app, client.WithGroup("g"), c.nameServers(), client.WithRequestLimit(0))
	require.ErrorContains(t, err, "WithRequestLimit(0)")
}

// TestABrokerThatTakesNoHeartbeatGetsNoRequest because it could not hand on the reply.
func TestABrokerThatTakesNoHeartbeatGetsNoRequest(t *testing.T) {
	c := newCluster(t, 1)
	c.a.intercept = refusing(proto.ReqHeartbeat, proto.RespSystemError)
	c.b.replies(func(sent) *pushed { return &pushed{body: []byte("yes")} })
	var failed *client.SendError
	c.run(20*time.Second, func() {
		p := c.producer()
		for range 4 {
			_, err := p.Request(background, hello(), 3*time.Second)
			must(err)
		}
		_, err := p.RequestTo(background, client.Queue{Topic: "orders", BrokerName: "a"}, hello(), 3*time.Second)
		if !errors.As(err, &failed) {
			panic(err)
		}
		_, err = p.RequestTo(background, client.Queue{Topic: "orders", BrokerName: "b", QueueID: 1}, hello(), 3*time.Second)
		must(err)
	})
	require.Empty(t, c.a.sends)
	require.Len(t, c.b.sends, 5)
	require.EqualValues(t, 1, c.b.sends[4].header.QueueID)
	require.False(t, failed.MaybeStored)
	require.ErrorIs(t, failed, client.ErrNotSent)
	require.ErrorContains(t, failed, "has taken no heartbeat")
}

// TestABrokerKnowsAgainWhoWaits after the connection was lost, although the broker was away for some seconds.
func TestABrokerKnowsAgainWhoWaits(t *testing.T) {
	c := onlyBrokerA(t)
	refuses, heartbeats := false, 0
	var current *transport.Conn
	c.a.intercept = func(in *transportIncoming) bool {
		if in.Command.Code != proto.ReqHeartbeat {
			return false
		}
		if refuses {
			in.Reply().Error(proto.RespSystemBusy, "not yet")
			return true
		}
		current, heartbeats = in.Conn, heartbeats+1
		return false
	}
	var reply *client.Received
	c.run(time.Minute, func() {
		p := c.producer()
		must(p.RequestAsync(background, hello(), 20*time.Second, func(r *client.Received, err error) {
			must(err)
			reply = r
		}))
		c.eventually("the request is stored", func() bool { return len(c.a.sends) == 1 })
		refuses = true
		current.Close()
		c.app.Tasks.Sleep(5 * time.Second)
		refuses = false
		began := c.app.Clock.Now()
		c.eventually("the broker knows the client again", func() bool { return heartbeats == 2 })
		if took := c.app.Clock.Now().Sub(began); took > 1100*time.Millisecond {
			panic(took)
		}
		c.a.env.Tasks.Go("reply", func() { c.a.push(current, c.a.sends[0], &pushed{body: []byte("yes")}) })
		c.eventually("the reply", func() bool { return reply != nil })

		// The next request does not rely on a connection that is gone.
		c.a.replies(func(sent) *pushed { return &pushed{body: []byte("again")} })
		current.Close()
		c.app.Tasks.Sleep(time.Millisecond)
		before := len(c.a.heartbeats)
		_, err := p.Request(background, hello(), 3*time.Second)
		must(err)
		if len(c.a.heartbeats) != before+1 {
			panic("no heartbeat before the request")
		}
		must(p.Close(background))
	})
	require.Equal(t, "yes", string(reply.Body))
}

// TestAllBrokersOfTheClusterHearOfWhoAsks since other clients send replies to any of them.
func TestAllBrokersOfTheClusterHearOfWhoAsks(t *testing.T) {
	c := onlyBrokerA(t)
	c.names.routes["c_REPLY_TOPIC"] = route(1, c.a, c.b)
	c.a.replies(func(sent) *pushed { return &pushed{after: time.Second, body: []byte("yes")} })
	c.run(20*time.Second, func() {
		p := c.producer()
		_, err := p.Send(background, hello())
		must(err)
		c.app.Tasks.Sleep(time.Second)
		if len(c.b.heartbeats) > 0 {
			panic("who does not ask needs no more than the brokers of its topics")
		}
		_, err = p.Request(background, hello(), 3*time.Second)
		must(err)
		must(p.Close(background))
	})
	require.NotEmpty(t, c.b.heartbeats)
}

func TestAReplyCountsAlthoughTheSendSeemsToHaveFailed(t *testing.T) {
	c := onlyBrokerA(t)
	c.a.intercept = func(in *transportIncoming) bool {
		if in.Command.Code != proto.ReqSendMessageV2 {
			return false
		}
		request, conn := c.a.sends[len(c.a.sends)-1], in.Conn
		c.a.env.Tasks.Go("reply", func() { c.a.push(conn, request, &pushed{body: []byte("yes")}) })
		return true
	}
	c.run(20*time.Second, func() {
		p := c.producer()
		reply, err := p.Request(background, hello(), 2*time.Second)
		must(err)
		if string(reply.Body) != "yes" {
			panic(fmt.Sprint(reply))
		}
		c.a.intercept = refusing(proto.ReqSendMessageV2, proto.RespMessageIllegal)
		var failed *client.SendError
		if _, err = p.Request(background, hello(), 2*time.Second); !errors.As(err, &failed) || failed.MaybeStored || errors.Is(err, client.ErrNoReply) {
			panic(err)
		}
		if _, err = p.Request(background, client.NewMessage("unknown", []byte("x")), 2*time.Second); !errors.Is(err, client.ErrTopicNotFound) {
			panic(err)
		}
		must(p.Close(background))
	})
}

func TestAReplyThatCannotBeReadIsRefused(t *testing.T) {
	c := onlyBrokerA(t)
	var answers []int32
	c.a.intercept = func(in *transportIncoming) bool {
		if in.Command.Code == proto.ReqSendMessageV2 {
			conn := in.Conn
			c.a.env.Tasks.Go("ask", func() {
				for _, code := range []int32{proto.ReqPushReplyMessageToClient, proto.ReqGetConsumerRunningInfo} {
					answer, err := conn.Call(nil, &transport.Request{Code: code}, c.a.env.Clock.Now().Add(time.Second))
					must(err)
					answers = append(answers, answer.Code)
				}
			})
		}
		return false
	}
	c.run(20*time.Second, func() {
		p := c.producer()
		_, err := p.Send(background, hello())
		must(err)
		c.eventually("both answers", func() bool { return len(answers) == 2 })
		must(p.Close(background))
	})
	require.Equal(t, []int32{proto.RespSystemError, proto.RespRequestCodeNotSupported}, answers)
}
