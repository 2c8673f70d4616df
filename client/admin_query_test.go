package client_test

import (
	"math"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// viewable lets a broker answer every question for a message by its place with the first message of a queue.
func (b *broker) viewable(queue client.Queue) {
	record, err := message.AppendRecord(nil, &b.queues[queue][0])
	must(err)
	b.answers(map[int32]func(in *transportIncoming){proto.ReqViewMessageByID: body(record)})
}

// searchable lets a broker answer every query with all messages of a queue, as one that compares hashes might.
func (b *broker) searchable(queue client.Queue) (asked *[]proto.QueryMessage) {
	asked = &[]proto.QueryMessage{}
	b.intercept = func(in *transportIncoming) bool {
		if in.Command.Code != proto.ReqQueryMessage {
			return false
		}
		var h proto.QueryMessage
		must(h.DecodeFields(in.Command.Fields))
		*asked = append(*asked, h)
		var body []byte
		for i := range b.queues[queue] {
			var err error
			body, err = message.AppendRecord(body, &b.queues[queue][i])
			must(err)
		}
		in.Reply().Send(proto.RespSuccess, &proto.QueryMessageResponse{}, body)
		return true
	}
	return asked
}

func TestMessagesAreFoundByKeyAtAllMasters(t *testing.T) {
	c, _, newAdmin := admin(t)
	c.b.append(client.Queue{Topic: "orders", BrokerName: "b"}, []byte("early"), []byte("KEYS\x01k l\x02UNIQ_KEY\x01U1\x02"), 0)
	atB := c.b.searchable(client.Queue{Topic: "orders", BrokerName: "b"})
	c.pass(time.Second)
	for _, properties := range []string{"KEYS\x01k\x02UNIQ_KEY\x01U2\x02", "KEYS\x01kk\x02UNIQ_KEY\x01k\x02", "KEYS\x01x\x02"} {
		c.a.append(first, []byte("late"), []byte(properties), 0)
	}
	c.a.searchable(first)
	var keyed, unique, other []*client.Received
	c.run(time.Minute, func() {
		a := newAdmin()
		var err error
		keyed, err = a.FindByKey(background, client.KeyQuery{Topic: "orders", Key: "k", From: time.UnixMilli(5), To: time.UnixMilli(7), Max: 9})
		must(err)
		unique, err = a.FindByKey(background, client.KeyQuery{Topic: "orders", Key: "U2", UniqueID: true, Cluster: "c"})
		must(err)
		other, err = a.FindByKey(background, client.KeyQuery{Topic: "orders", Key: "none"})
		must(err)
	})
	require.Len(t, keyed, 3, "a unique id is a key too, and a key is a whole word")
	require.Equal(t, "early", string(keyed[0].Body), "in the order in which they were stored")
	require.Equal(t, "b", keyed[0].Queue.BrokerName)
	require.Len(t, unique, 1)
	require.Equal(t, "a", unique[0].Queue.BrokerName)
	require.Empty(t, other)
	require.Equal(t, []proto.QueryMessage{
		{Topic: "orders", Key: "k", Max: 9, Begin: 5, End: 7},
		{Topic: "orders", Key: "U2", Max: 64, End: math.MaxInt64, UniqueKey: true},
		{Topic: "orders", Key: "none", Max: 64, End: math.MaxInt64},
	}, *atB)
}

func TestWhatTheOtherBrokersFindIsNotLostWithOneThatFails(t *testing.T) {
	c, _, newAdmin := admin(t)
	c.a.append(first, []byte("x"), []byte("KEYS\x01k\x02"), 0)
	c.a.searchable(first)
	c.b.intercept = refusing(proto.ReqQueryMessage, proto.RespSystemError)
	query := client.KeyQuery{Topic: "orders", Key: "k"}
	var found, nothing []*client.Received
	var partly, unknown, nobody error
	c.run(time.Minute, func() {
		a := newAdmin()
		found, partly = a.FindByKey(background, query)
		_, unknown = a.FindByKey(background, client.KeyQuery{Topic: "nowhere", Key: "k"})
		_, nobody = a.FindByKey(background, client.KeyQuery{Topic: "orders", Key: "k", Cluster: "empty"})
		c.a.intercept = refusing(proto.ReqQueryMessage, proto.RespQueryNotFound)
		nothing, _ = a.FindByKey(background, query)
	})
	require.Len(t, found, 1)
	var answer *client.ResponseError
	require.ErrorAs(t, partly, &answer)
	require.Equal(t, c.b.address, answer.Address)
	require.ErrorIs(t, unknown, client.ErrTopicNotFound)
	require.ErrorIs(t, nobody, client.ErrNoBroker)
	require.Empty(t, nothing)
}

func TestABrokerIsToldToClean(t *testing.T) {
	c, _, newAdmin := admin(t)
	var asked []int32
	c.a.intercept = func(in *transportIncoming) bool {
		asked = append(asked, in.Command.Code)
		in.Reply().Success(nil)
		return true
	}
	c.run(time.Minute, func() {
		a := newAdmin()
		must(a.DeleteExpiredLog(background, c.a.address))
		must(a.CleanExpiredQueues(background, c.a.address))
	})
	require.Equal(t, []int32{proto.ReqDeleteExpiredCommitLog, proto.ReqCleanExpiredConsumeQueue}, asked)
}

func TestAnAnswerThatUnpacksBeyondTheLimitIsAnError(t *testing.T) {
	body := make([]byte, 1<<20)
	packed, err := new(message.Compressor).Append(nil, body, message.CompressionZstd, 1)
	require.NoError(t, err)
	c := newCluster(t, 1)
	queue := client.Queue{Topic: "orders", BrokerName: "a"}
	id, err := message.ParseOffsetID(c.a.append(queue, packed, nil, message.SysFlags(0).WithCompression(message.CompressionZstd)))
	require.NoError(t, err)
	c.a.viewable(queue)
	for limit, fits := range map[int]bool{1 << 20: true, 1<<20 - 1: false} {
		var failure error
		c.run(time.Second, func() {
			a, err := client.NewAdmin(c.app, c.nameServers(), client.WithDecompressionLimit(limit))
			must(err)
			_, failure = a.ViewMessage(background, id)
		})
		if fits {
			require.NoError(t, failure)
		} else {
			require.ErrorIs(t, failure, message.ErrBodyLength)
		}
	}
}
