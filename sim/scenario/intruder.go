package scenario

import (
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// intruder is a client that wants of brokers what waits in them, as no library would: to read it, to get it sent to a group, and to
// write among it. All of it must be refused.
type intruder struct {
	f      *fleet
	net    *rawClient
	random *sim.Stream
	group  string // that gets what is sent back
	topic  string // to which others send what waits
	// waiting is a message that waits, or has: the answer to its send. ok is false if there is none.
	waiting func(random *sim.Stream) (sent client.SendResult, ok bool)
}

// intrude lets an intruder try until the safety phase is over.
func (f *fleet) intrude(group, topic string, waiting func(random *sim.Stream) (client.SendResult, bool)) {
	i := &intruder{f: f, net: newRawClient(f.observer), random: f.kernel.Stream("intruder"), group: group, topic: topic, waiting: waiting}
	f.observer.Tasks.Go("intrude", func() {
		for !f.stopped {
			f.observer.Tasks.Sleep(time.Duration(i.random.Between(0, int64(time.Second))))
			i.try()
		}
		for _, n := range f.cluster.Brokers {
			if conn := i.net.conns[addressOf(n)]; conn != nil {
				conn.Close()
			}
		}
	})
}

// try is one attempt.
func (i *intruder) try() {
	broker := i.f.cluster.Brokers[i.random.IntN(len(i.f.cluster.Brokers))]
	switch i.random.IntN(3) {
	case 0:
		i.demandRefusal("pull of messages of open transactions", i.net.call(addressOf(broker), proto.ReqPullMessage, i.pull(), nil))
	case 1:
		body := []byte("forged")
		i.demandRefusal("send to the topic of timers", i.net.call(addressOf(broker), proto.ReqSendMessage, i.forged(), body))
	default:
		i.sendBack()
	}
}

// pull asks for the first half messages.
func (i *intruder) pull() map[string]string {
	return map[string]string{
		"consumerGroup": i.group, "topic": proto.HalfTopic, "queueId": "0", "queueOffset": "0", "maxMsgNums": "32", "sysFlag": fmt.Sprint(int(proto.PullSubscription)),
		"commitOffset": "0", "suspendTimeoutMillis": "0", "subscription": "*", "subVersion": "0",
	}
}

// forged is a message that would be delivered to the topic of others, with properties that only brokers set.
func (i *intruder) forged() map[string]string {
	now := int64(i.f.observer.Clock.Wall())
	properties := fmt.Sprintf("%s\x01%d\x02%s\x01%s\x02%s\x010\x02", message.PropertyTimerDueAtMillis, now+1000, message.PropertyRealTopic, i.topic, message.PropertyRealQueueID)
	return map[string]string{
		"producerGroup": i.group, "topic": proto.TimerTopic, "defaultTopic": proto.DefaultTopic, "defaultTopicQueueNums": "1", "queueId": "0", "sysFlag": "0",
		"bornTimestamp": fmt.Sprint(now), "flag": "0", "properties": properties, "reconsumeTimes": "0", "unitMode": "false",
	}
}

// sendBack says that it could not consume a message that waits, which would be redelivered.
func (i *intruder) sendBack() {
	sent, ok := i.waiting(i.random)
	if !ok {
		return
	}
	id, err := message.ParseOffsetID(sent.OffsetID)
	if err != nil {
		i.f.failSafety("a message was stored at %q: %v", sent.OffsetID, err)
		return
	}
	i.demandRefusal("redelivery of a message that waits", i.net.call(i.f.address(sent.Queue), proto.ReqConsumerSendMessageBack, map[string]string{
		"offset": fmt.Sprint(int64(id.LogOffset)), "group": i.group, "delayLevel": "1", "originTopic": i.topic,
	}, nil))
}

// demandRefusal looks at an answer; nil is none.
func (i *intruder) demandRefusal(what string, answer *rawAnswer) {
	switch {
	case answer == nil:
	case answer.Code == int(proto.RespSuccess):
		i.f.failSafety("a broker granted an intruder the %s: %v", what, answer)
	case answer.Code == int(proto.RespNoPermission), answer.Code == int(proto.RespMessageIllegal):
		i.f.kernel.Mark("refused: " + what)
	}
}
