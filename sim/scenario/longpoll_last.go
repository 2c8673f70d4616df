package scenario

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file is about what is demanded when nothing is broken any more and everything is read.

// demandLast is the task of the observer at the end.
func (l *longpoll) demandLast(probe *pubsubClient) {
	l.judgeAnswers()
	for _, queue := range l.queues {
		g := l.groups[probe.random.IntN(len(l.groups))]
		if g.match != nil {
			l.demandOneWake(probe, queue, g)
		}
	}
	for _, n := range l.cluster.Brokers {
		l.demandEndOfDeleted(probe, n)
	}
	l.leaving = true
	l.demandNoPullIsLeft()
}

// probeLine opens a line that must be to be had.
func (l *longpoll) probeLine(n *cluster.Node) *rawLine {
	l.lines++
	line, err := openLine(l.observer, l.address(client.Queue{BrokerName: n.String()}), l.lines, func(answer *rawAnswer) {
		l.failSafety("the probe got an answer with opaque %d and code %d, which it does not wait for", answer.Opaque, answer.Code)
	})
	if err != nil {
		l.failLiveness("%s cannot be reached though nothing is broken: %v", n, err)
		return nil
	}
	return line
}

// demandOneWake holds a pull, sends messages that the group does not want, which must not end it, and then one that it wants.
func (l *longpoll) demandOneWake(probe *pubsubClient, queue client.Queue, g *filterGroup) {
	line := l.probeLine(l.node(queue))
	if line == nil {
		return
	}
	defer line.close()
	p := &polled{group: g, queue: queue, from: l.queueOf(queue).end, count: 32, asked: 20_000, holds: true}
	l.begin(p, l.node(queue))
	var answer *rawAnswer
	ended := false
	l.observer.Tasks.Go("probe's pull", func() {
		answer = line.ask(proto.ReqPullMessage, p.fields(proto.PullHold|proto.PullSubscription), nil, 30*time.Second)
		l.end(p)
		ended = true
	})
	l.observer.Tasks.Sleep(200 * time.Millisecond)
	if g.mismatch != nil {
		for range probe.random.IntN(4) {
			l.sendLast(probe, queue, g.mismatch)
			l.observer.Tasks.Sleep(time.Duration(probe.random.Between(0, int64(300*time.Millisecond))))
			l.kernel.Mark("woken behind a message that does not match")
		}
	}
	if ended && l.limit > 1000 && (answer == nil || answer.Code != int(proto.RespPullRetryImmediately)) {
		// To be told where to go on is right if one message came while another one was looked at.
		l.failSafety("%v ended before there was a message that it wants (%v)", p, answer)
		return
	}
	at := l.sendLast(probe, queue, g.match)
	for deadline := l.observer.Clock.Now().Add(wakeWithin); !ended && !deadline.Reached(l.observer.Clock.Now()); {
		l.observer.Tasks.Sleep(10 * time.Millisecond)
	}
	if !ended || answer == nil {
		l.failLiveness("%v did not end within %s after the message at %d that it wants", p, wakeWithin, at)
		return
	}
	p.answeredBy(l, answer)
}

// sendLast sends though the final logs were read: nobody judges these messages.
func (l *longpoll) sendLast(probe *pubsubClient, queue client.Queue, properties map[string]string) client.QueueOffset {
	result, err := probe.steady.SendTo(context.Background(), queue, l.message(queue.Topic, probe.body(), properties))
	if err != nil {
		l.failLiveness("%v refuses a message though nothing is broken: %v", queue, err)
	}
	l.arrived(queue, result.QueueOffset, properties)
	return result.QueueOffset
}

// toolPatience is how long a tool's request may take on a lossy network.
const toolPatience = 10 * time.Second

// demandEndOfDeleted deletes a topic, and a group, for which pulls are held: they end, and say why.
func (l *longpoll) demandEndOfDeleted(probe *pubsubClient, n *cluster.Node) {
	line, tool := l.probeLine(n), l.probeLine(n)
	if line == nil || tool == nil {
		return
	}
	defer line.close()
	defer tool.close()
	l.demandSuccess(tool.ask(proto.ReqUpdateAndCreateTopic, topicFields("leaving"), nil, toolPatience))
	queue := client.Queue{Topic: "leaving", BrokerName: n.String()}
	all := l.groups[0]
	var ended []*rawAnswer
	hold := func(p *polled) {
		l.observer.Tasks.Go("doomed pull", func() {
			l.begin(p, n)
			ended = append(ended, line.ask(proto.ReqPullMessage, p.fields(proto.PullHold|proto.PullSubscription), nil, 30*time.Second))
			l.end(p)
		})
	}
	if probe.random.Chance(0.5) {
		l.demandSuccess(tool.ask(proto.ReqSendMessage, sendFields(queue.Topic), []byte("x"), toolPatience))
		hold(&polled{group: all, queue: queue, from: 1, asked: 20_000, holds: true, count: 1})
	} else {
		hold(&polled{group: all, queue: queue, from: 0, asked: 20_000, holds: true, count: 1})
	}
	queue.QueueID = 1
	hold(&polled{group: all, queue: queue, from: 0, asked: 20_000, holds: true, count: 1})
	l.observer.Tasks.Sleep(200 * time.Millisecond)
	deleted := tool.ask(proto.ReqDeleteTopicInBroker, map[string]string{"topic": queue.Topic}, nil, toolPatience)
	if deleted == nil || deleted.Code != int(proto.RespSystemError) || !l.syncsFailed() {
		l.demandSuccess(deleted)
	}
	l.demandRefusals(&ended, 2, int(proto.RespTopicNotExist), "of a topic that was deleted")
	l.kernel.Mark("topic deleted while pulls are held")

	ended = nil
	old := &filterGroup{name: "leaving", tags: "*", text: "*"}
	queue = l.queues[slices.IndexFunc(l.queues, func(q client.Queue) bool { return q.BrokerName == n.String() })]
	hold(&polled{group: old, queue: queue, from: l.queueOf(queue).end, asked: 20_000, holds: true, count: 1})
	for l.groupIsMissing(tool, old.name) {
		// The pull makes its group. One that comes after the deletion would make it again.
		l.observer.Tasks.Sleep(10 * time.Millisecond)
	}
	l.observer.Tasks.Sleep(200 * time.Millisecond)
	l.demandSuccess(tool.ask(proto.ReqDeleteSubscriptionGroup, map[string]string{
		"groupName": old.name, "cleanOffset": fmt.Sprint(probe.random.Chance(0.5)),
	}, nil, toolPatience))
	l.demandRefusals(&ended, 1, int(proto.RespSubscriptionGroupNotExist), "of a group that was deleted")
	l.kernel.Mark("group deleted while pulls are held")
}

func (l *longpoll) groupIsMissing(tool *rawLine, name string) bool {
	answer := tool.ask(proto.ReqGetSubscriptionGroupConfig, map[string]string{"group": name}, nil, toolPatience)
	return answer == nil || answer.Code != int(proto.RespSuccess)
}

// syncsFailed reports whether a sync may have failed. Then files of queues are not removed until the broker starts anew.
func (l *longpoll) syncsFailed() bool {
	return slices.ContainsFunc(l.Schedule, func(f fault.Fault) bool { return f.Kind == fault.FailSync })
}

func (l *longpoll) demandSuccess(answer *rawAnswer) {
	if answer == nil || answer.Code != int(proto.RespSuccess) {
		l.failLiveness("a tool's request does not succeed though nothing is broken: %v", answer)
	}
}

// demandRefusals waits for pulls that were held to end with a code. Where few may be held they have ended before.
func (l *longpoll) demandRefusals(ended *[]*rawAnswer, count, code int, of string) {
	for deadline := l.observer.Clock.Now().Add(wakeWithin); len(*ended) < count && !deadline.Reached(l.observer.Clock.Now()); {
		l.observer.Tasks.Sleep(10 * time.Millisecond)
	}
	if len(*ended) < count {
		l.failLiveness("%d of %d held pulls %s have not ended within %s", count-len(*ended), count, of, wakeWithin)
	}
	for _, answer := range *ended {
		if answer == nil || answer.Code != code && (l.limit > 1000 || answer.Code != int(proto.RespPullNotFound)) {
			l.failSafety("a held pull %s ended with %v, want code %d", of, answer, code)
		}
	}
}

// demandNoPullIsLeft waits until nobody pulls any more and the last hold must be over. Then no broker holds anything.
func (l *longpoll) demandNoPullIsLeft() {
	net, last := newRawClient(l.observer), env.Instant(0)
	for l.polling > 0 && len(l.open) > 0 {
		l.observer.Tasks.Sleep(tickEvery)
	}
	for _, p := range slices.Concat(l.given, l.open) {
		last = max(last, p.began.Add(p.hold()+overSlack))
	}
	l.observer.Tasks.Sleep(max(0, last.Sub(l.observer.Clock.Now())) + overSlack)
	for _, n := range l.cluster.Brokers {
		held, ok := l.held(net, n)
		if !ok || held != 0 {
			l.failSafety("%s holds %d pulls, though nobody pulls any more and the last hold was over at %s", n, held, last)
		}
	}
	l.kernel.Mark("no pull is left")
}

// runtime asks a broker for all that it tells of itself, nil if it does not answer.
func (f *fleet) runtime(net *rawClient, n *cluster.Node) map[string]string {
	answer := net.call(f.address(client.Queue{BrokerName: n.String()}), proto.ReqGetBrokerRuntimeInfo, nil, nil)
	if answer == nil || answer.Code != int(proto.RespSuccess) {
		return nil
	}
	table, err := proto.UnmarshalKVTable(answer.body)
	if err != nil {
		f.failSafety("what %s tells of itself cannot be read: %v", n, err)
		return nil
	}
	return table.Table
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
