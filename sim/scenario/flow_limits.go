package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim/cluster"
)

// This file looks at limits while there is pressure: those of brokers, and those of consumers.

// watchBacklogs is the task that looks, at random moments, at what waits for the disks.
func (f *flowControl) watchBacklogs() {
	random := f.kernel.Stream("backlogs")
	for {
		f.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(20*time.Millisecond))))
		for _, n := range f.cluster.Brokers {
			b := n.Broker()
			if b == nil {
				continue
			}
			backlog := b.Store().Backlog()
			f.judgeBacklog(n, backlog.Appends, backlog.Bytes)
		}
	}
}

// recordMin is the least that a record takes in the log: its fixed fields.
const recordMin = 88

// judgeBacklog compares what waits with the limit: appends are refused once it is reached, so the last one may pass it, and what that one leaves
// unused at the end of a file counts as well.
func (f *flowControl) judgeBacklog(n *cluster.Node, appends, bytes int) {
	most := f.waitingMax + 2*max(f.largest, recordOverhead)
	switch {
	case bytes > most:
		f.failSafety("%s lets %d bytes wait for the disk, the limit is %d and one append of %d", n, bytes, f.waitingMax, f.largest)
	case appends > bytes/recordMin:
		f.failSafety("%s lets %d appends wait for the disk, which have %d bytes", n, appends, bytes)
	case bytes >= f.waitingMax:
		f.kernel.Mark("a backlog was near its limit")
	}
}

// lookAtBrokers is the task that asks brokers for the same, as a tool does.
func (f *flowControl) lookAtBrokers() {
	net, random := newRawClient(f.observer), f.kernel.Stream("look at brokers")
	for {
		f.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(time.Second))))
		n := f.cluster.Brokers[random.IntN(len(f.cluster.Brokers))]
		table := f.runtime(net, n)
		if table == nil {
			continue
		}
		value := func(name string) int { return f.number(n, table, name) }
		f.judgeBacklog(n, value("sendThreadPoolQueueSize"), value("sendWaitingBytes"))
		if most := value("connections") * f.unansweredMax; value("unansweredRequests") > most {
			f.failSafety("%s has %d unanswered requests on %d connections, allowed are %d on each", n, value("unansweredRequests"), value("connections"), f.unansweredMax)
		}
		f.kernel.Mark("backlog looked at")
	}
}

func (f *flowControl) memberOptions(m *fleetMember) []client.PushOption {
	l := f.limits
	options := []client.PushOption{
		client.WithNameServers(f.cluster.NameServerAddresses()...), client.WithGroup(flowGroup), client.WithConsumeFrom(client.FromFirst),
		client.WithHandler(f.handler(m, m.env, m.life)), client.WithConcurrency(l.concurrency), client.WithOffsetStoring(time.Second),
		client.WithQueueLimits(l.messages, l.bytes, l.span), client.WithPullBatch(l.pullBatch, 256<<10),
		client.WithHold(f.work.hold), client.WithPullTimeout(f.work.hold + 2*time.Second), client.WithRequestTimeout(2 * time.Second), client.WithRouteRefresh(5 * time.Second),
	}
	for _, topic := range f.topics {
		options = append(options, client.WithSubscription(topic, client.Tags("*")))
	}
	return options
}

const flowGroup = "flow"

// handler is slow as long as producers send.
func (f *flowControl) handler(m *fleetMember, e env.Env, life int) client.Handler {
	calls := 0
	return func(_ context.Context, messages []*client.Received) error {
		if calls++; calls > f.limits.concurrency {
			f.failSafety("%s calls its handler %d times at once, allowed are %d", m, calls, f.limits.concurrency)
		}
		if !f.stopped {
			e.Tasks.Sleep(time.Duration(m.random.Between(0, int64(f.handling))))
		}
		for _, r := range messages {
			f.whole(r)
			f.Operations++
			f.got[linearizability.HashOf(r.Body)] = true
		}
		calls--
		return nil
	}
}

// lookAtMembers is the task that asks members, through their brokers, how much they hold.
func (f *flowControl) lookAtMembers() {
	admin, err := client.NewAdmin(f.observer, client.WithNameServers(f.cluster.NameServerAddresses()...), client.WithRequestTimeout(2*time.Second))
	if err != nil {
		f.failSafety("the probe's admin could not be made: %v", err)
		return
	}
	random := f.kernel.Stream("look at members")
	for {
		f.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(time.Second))))
		n := f.cluster.Brokers[random.IntN(len(f.cluster.Brokers))]
		address := f.address(client.Queue{BrokerName: n.String()})
		members, _, err := admin.Consumers(context.Background(), address, flowGroup)
		if err != nil {
			continue
		}
		for _, member := range members.Members {
			info, err := admin.RunningInfo(context.Background(), address, flowGroup, member.ClientID, false)
			if err == nil {
				f.judgeMember(member.ClientID, info)
			}
		}
	}
}

// judgeMember compares what a member holds of each queue with its limits. A queue that is below them is pulled once more.
func (f *flowControl) judgeMember(name string, info *client.RunningInfo) {
	f.kernel.Mark("a member's queues looked at")
	l := f.limits
	below := min(l.messages-1, (l.bytes-1)/f.padding)
	for _, q := range info.Queues {
		if q.Queue.Topic != f.topics[0] && q.Queue.Topic != f.topics[len(f.topics)-1] {
			continue // nobody pads what comes again
		}
		span := int(q.CachedMax - q.CachedMin)
		switch {
		case int(q.Cached) > below+l.pullBatch:
			f.failSafety("%s holds %d messages of %v, and goes on pulling %d at once below %d messages and %d bytes", name, q.Cached, q.Queue, l.pullBatch, l.messages, l.bytes)
		case span > l.span+l.pullBatch:
			f.failSafety("%s holds messages %d to %d of %v, and goes on pulling %d at once up to a distance of %d", name, q.CachedMin, q.CachedMax, q.Queue, l.pullBatch, l.span)
		case int(q.Cached) > below:
			f.kernel.Mark("a member's queue was full")
		}
	}
}

// missing tells which message was not consumed.
func (f *flowControl) missing() string {
	for _, queue := range f.queues {
		for _, entry := range f.Logs[queue.String()].Entries {
			if !f.got[entry.Hash] {
				return fmt.Sprintf("the message at %d of %v", entry.Offset, queue)
			}
		}
	}
	return ""
}
