package scenario

import (
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file is about a topic that comes and goes while pulls are held for it, also while there are faults.

const fleetingTopic = "fleeting"

// comeAndGo is the task that makes, uses and deletes the topic until the safety phase is over.
func (l *longpoll) comeAndGo() {
	random, tool := l.kernel.Stream("fleeting"), newRawClient(l.observer)
	for !l.stopped {
		l.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(4*time.Second))))
		n := l.cluster.Brokers[random.IntN(len(l.cluster.Brokers))]
		if l.began == 0 || l.stopped || n.Broker() == nil {
			continue
		}
		l.lines++
		line, err := openLine(l.observer, l.address(client.Queue{BrokerName: n.String()}), l.lines, func(answer *rawAnswer) {
			l.failSafety("a line for %s got an answer with opaque %d and code %d, which it does not wait for", fleetingTopic, answer.Opaque, answer.Code)
		})
		if err != nil {
			continue
		}
		for range 1 + random.IntN(3) {
			l.oneLife(random, tool, line, n)
		}
		l.observer.Tasks.Go("close line", func() {
			// Some lines end while pulls are held, others when the last one is over.
			l.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(20*time.Second))))
			line.close()
		})
	}
}

// oneLife is that of the topic from its creation to its end. No request needs to succeed.
func (l *longpoll) oneLife(random *sim.Stream, tool *rawClient, line *rawLine, n *cluster.Node) {
	address := l.address(client.Queue{BrokerName: n.String()})
	tool.call(address, proto.ReqUpdateAndCreateTopic, topicFields(fleetingTopic), nil)
	for range random.IntN(3) {
		tool.call(address, proto.ReqSendMessage, sendFields(fleetingTopic), []byte("x"))
	}
	for range 1 + random.IntN(4) {
		queue := client.Queue{Topic: fleetingTopic, BrokerName: n.String(), QueueID: int32(random.IntN(2))}
		p := &polled{
			group: l.groups[random.IntN(len(l.groups))], queue: queue, from: client.QueueOffset(random.IntN(4)), count: 32,
			asked: random.Between(0, int64(10_000)), holds: true,
		}
		l.observer.Tasks.Go("fleeting pull", func() { l.pullFleeting(line, n, p) })
	}
	l.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(500*time.Millisecond))))
	for range random.IntN(3) {
		tool.call(address, proto.ReqSendMessage, sendFields(fleetingTopic), []byte("x"))
	}
	if deleted := tool.call(address, proto.ReqDeleteTopicInBroker, map[string]string{"topic": fleetingTopic}, nil); deleted != nil && deleted.Code == int(proto.RespSuccess) {
		l.kernel.Mark("a topic came and went")
	}
}

// pullFleeting may find messages or not, of this life of the topic or the next one. It must end in time.
func (l *longpoll) pullFleeting(line *rawLine, n *cluster.Node, p *polled) {
	l.begin(p, n)
	answer := line.ask(proto.ReqPullMessage, p.fields(proto.PullHold|proto.PullSubscription), nil, time.Minute)
	l.end(p)
	switch {
	case answer == nil:
		l.gaveUp(p)
	case answer.Code == int(proto.RespTopicNotExist):
	case !(&pollAnswer{code: answer.Code}).isPull() && !l.mayRefuse(p):
		l.failSafety("%v was answered with %v", p, answer)
	}
}

// topicFields are the header of a request that makes a topic with two queues.
func topicFields(name string) map[string]string {
	return map[string]string{
		"topic": name, "defaultTopic": "TBW102", "readQueueNums": "2", "writeQueueNums": "2", "perm": fmt.Sprint(permReadWrite),
		"topicFilterType": "SINGLE_TAG", "order": "false",
	}
}

// sendFields are the header of a send to the first queue of a topic.
func sendFields(topic string) map[string]string {
	return map[string]string{
		"producerGroup": "tool", "topic": topic, "defaultTopic": "nothing", "defaultTopicQueueNums": "2", "queueId": "0", "sysFlag": "0",
		"bornTimestamp": "0", "flag": "0", "properties": "", "reconsumeTimes": "0", "unitMode": "false", "batch": "false",
	}
}
