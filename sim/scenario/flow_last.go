package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file is about pressure without faults, but for disks that stand still: nothing is lost on the way then, so all that was sent must be accounted for.

// demandLast is the task of the observer at the end.
func (f *flowControl) demandLast(probe *pubsubClient) {
	f.demandOnewaysCounted(probe)
	for _, n := range f.cluster.Brokers {
		f.demandFullConnectionCounts(probe, n)
	}
	f.demandElsewhere(probe, f.cluster.Brokers[probe.random.IntN(len(f.cluster.Brokers))])
	f.demandAllServe(probe)
}

// stick lets the syncs of a broker's disk stand still for a while.
func (f *flowControl) stick(n *cluster.Node, while time.Duration) {
	o := sim.DefaultDisk()
	o.StuckUntil = f.observer.Clock.Now().Add(while)
	n.Machine.Disk().SetOptions(o)
}

// fullFor is how long a broker stays so full that producers must go elsewhere.
const fullFor = 3 * time.Second

// pressure is how long a disk stands still at a time: so short that no send is answered because it takes too long, and is stored all the same.
func (f *flowControl) pressure() time.Duration {
	return min(200*time.Millisecond, f.storeOptions.FlushTimeout/3)
}

// lost is how many one-way sends a broker says that it has dropped.
func (f *flowControl) lost(net *rawClient, n *cluster.Node) int {
	table := f.runtime(net, n)
	if table == nil {
		f.failLiveness("%s does not tell about itself though nothing is broken", n)
		return 0
	}
	return f.number(n, table, "sendOnewayFailedTotal")
}

// ends are where all queues end.
func (f *flowControl) ends(probe *pubsubClient) map[client.Queue]client.QueueOffset {
	ends := map[client.Queue]client.QueueOffset{}
	for _, queue := range f.queues {
		result, err := probe.consumer.Pull(context.Background(), queue, 1<<40, 1)
		if err != nil {
			f.failLiveness("%v cannot be pulled though nothing is broken: %v", queue, err)
		}
		ends[queue] = result.Max
	}
	return ends
}

// stored counts which of the bodies stand behind the given ends.
func (f *flowControl) stored(probe *pubsubClient, ends map[client.Queue]client.QueueOffset, sent map[linearizability.Hash]bool) (count int) {
	f.awaitDisks()
	for _, queue := range f.queues {
		for next := ends[queue]; ; {
			result, err := probe.consumer.Pull(context.Background(), queue, next, 32)
			if err != nil {
				f.failLiveness("%v cannot be pulled though nothing is broken: %v", queue, err)
				return count
			}
			for _, m := range result.Messages {
				if sent[linearizability.HashOf(m.Body)] {
					count++
				}
			}
			if next = result.Next; next >= result.Max {
				break
			}
		}
	}
	return count
}

// awaitDisks waits until nothing waits for a disk any more.
func (f *flowControl) awaitDisks() {
	// What was sent last is on its way still.
	f.observer.Tasks.Sleep(500 * time.Millisecond)
	for deadline := f.observer.Clock.Now().Add(wakeWithin); ; f.observer.Tasks.Sleep(10 * time.Millisecond) {
		waiting := store.Backlog{}
		for _, n := range f.cluster.Brokers {
			if b := n.Broker().Store().Backlog(); b.Appends > waiting.Appends {
				waiting = b
			}
		}
		switch {
		case waiting.Appends == 0:
			return
		case deadline.Reached(f.observer.Clock.Now()):
			f.failLiveness("the disks are well, and %v", waiting)
			return
		}
	}
}

// demandOnewaysCounted sends many messages without answers while the disks stand still: each is stored, or counted as dropped, or its sender
// was told.
func (f *flowControl) demandOnewaysCounted(probe *pubsubClient) {
	producer, err := client.NewProducer(f.observer, append(f.producerOptions(), client.WithOutputLimit(batchLimitMax+64<<10), client.WithMaxMessageSize(batchLimitMax))...)
	if err != nil {
		f.failSafety("the probe's producer could not be made: %v", err)
		return
	}
	net, ends, before := newRawClient(f.observer), f.ends(probe), 0
	if _, err := producer.Queues(context.Background(), f.topics[0]); err != nil {
		f.failLiveness("there is no route though nothing is broken: %v", err)
	}
	for _, n := range f.cluster.Brokers {
		before += f.lost(net, n)
	}
	padding := f.padding
	if probe.random.Chance(0.5) {
		// The links stand still: now it is the client that must say so.
		padding = f.bodyLimit
	}
	for _, n := range f.cluster.Brokers {
		if padding > f.padding {
			f.kernel.Network().Clog(f.observerMachine(), n.Machine, time.Second)
		} else {
			f.stick(n, f.pressure())
		}
	}
	sent := map[linearizability.Hash]bool{}
	for range 20 + probe.random.IntN(100) {
		m := marked(f.topics[probe.random.IntN(len(f.topics))], f.bodyOf(probe, padding))
		switch err := producer.TrySendOneway(context.Background(), m); {
		case err == nil:
			sent[linearizability.HashOf(m.Body)] = true
		case errors.Is(err, client.ErrBusy):
			f.kernel.Mark("one-way refused by the client")
		default:
			f.failSafety("a one-way send failed though nothing is broken: %v", err)
		}
	}
	f.observer.Tasks.Sleep(time.Second)
	stored, after := f.stored(probe, ends, sent), 0
	for _, n := range f.cluster.Brokers {
		after += f.lost(net, n)
	}
	if stored+after-before != len(sent) {
		f.failSafety("of %d messages that were sent one-way, %d are stored and %d were counted as dropped", len(sent), stored, after-before)
	}
	if after > before {
		f.kernel.Mark("one-way refused and counted")
	}
	if err := producer.Close(context.Background()); err != nil {
		f.failSafety("the probe's producer does not close: %v", err)
	}
}

// observerMachine is the one that no fault touches.
func (f *flowControl) observerMachine() *sim.Machine {
	machines := f.kernel.Machines()
	return machines[slices.IndexFunc(machines, func(m *sim.Machine) bool { return m.Address() == observerAddress })]
}

// lastBody makes one that no queue needs to have in the judgement.
func (f *flowControl) lastBody(probe *pubsubClient) []byte { return f.bodyOf(probe, f.padding) }

func (f *flowControl) bodyOf(probe *pubsubClient, padding int) []byte {
	body := probe.body()
	for len(body) < padding {
		body = append(body, byte(probe.random.Uint64()))
	}
	f.account(marked(f.topics[0], body))
	return body
}

// demandFullConnectionCounts fills one connection with requests that wait for the disk. One-way sends behind them are stored, or counted, too.
func (f *flowControl) demandFullConnectionCounts(probe *pubsubClient, n *cluster.Node) {
	net, ends := newRawClient(f.observer), f.ends(probe)
	before := f.lost(net, n)
	line, err := openLine(f.observer, f.address(client.Queue{BrokerName: n.String()}), 1, func(answer *rawAnswer) {
		f.failSafety("the probe got an answer with opaque %d, which it does not wait for", answer.Opaque)
	})
	if err != nil {
		f.failLiveness("%s cannot be reached though nothing is broken: %v", n, err)
		return
	}
	defer line.close()
	f.stick(n, f.pressure())
	answers := map[int]int{}
	asked := f.unansweredMax + 40
	for range asked {
		f.observer.Tasks.Go("fill", func() {
			body := f.lastBody(probe)
			if answer := line.ask(proto.ReqSendMessage, f.rawSend(body), body, 10*time.Second); answer != nil {
				answers[answer.Code]++
				f.lookAtRefusal(&client.ResponseError{Code: int32(answer.Code), Remark: answer.Remark})
			} else {
				answers[-1]++
			}
		})
	}
	f.observer.Tasks.Sleep(f.pressure() / 2)
	if table := f.runtime(net, n); table != nil {
		// Others have few requests under way but held pulls.
		if waiting := f.number(n, table, "unansweredRequests") - f.number(n, table, "pullWaitingRequests"); waiting > f.unansweredMax+20 {
			f.failSafety("%s lets %d requests wait for answers besides held pulls, nearly all of one connection, which may have %d", n, waiting, f.unansweredMax)
		}
	}
	sent := map[linearizability.Hash]bool{}
	for range 10 {
		body := f.lastBody(probe)
		sent[linearizability.HashOf(body)] = true
		line.tell(proto.ReqSendMessage, f.rawSend(body), body)
	}
	stored := f.stored(probe, ends, sent)
	dropped := f.lost(net, n) - before
	if stored+dropped != len(sent) {
		f.failSafety("of %d messages that were sent one-way on a full connection of %s, %d are stored and %d were counted as dropped", len(sent), n, stored, dropped)
	}
	f.kernel.Mark("one-way behind a full connection accounted for")
	for deadline := f.observer.Clock.Now().Add(10 * time.Second); total(answers) < asked && !deadline.Reached(f.observer.Clock.Now()); {
		f.observer.Tasks.Sleep(10 * time.Millisecond)
	}
	if total(answers) != asked || answers[-1] > 0 {
		f.failSafety("of %d sends on one connection, only %v have an answer (number by code)", asked, answers)
	}
}

// rawSend is the header of a send by hand, to the first queue.
func (f *flowControl) rawSend(body []byte) map[string]string {
	properties, err := marked(f.topics[0], body).Properties.Append(nil)
	if err != nil {
		panic(err) // they are as every message of this run has them
	}
	fields := sendFields(f.topics[0])
	fields["properties"] = string(properties)
	return fields
}

func total(counts map[int]int) (sum int) {
	// order does not matter: a sum
	for _, n := range counts {
		sum += n
	}
	return sum
}

// demandElsewhere fills one broker until it refuses, and demands that producers go to the other one.
func (f *flowControl) demandElsewhere(probe *pubsubClient, full *cluster.Node) {
	if f.storeOptions.Flush == store.AsyncFlush {
		return // nothing waits for syncs
	}
	line, err := openLine(f.observer, f.address(client.Queue{BrokerName: full.String()}), 2, func(*rawAnswer) {})
	if err != nil {
		f.failLiveness("%s cannot be reached though nothing is broken: %v", full, err)
		return
	}
	defer line.close()
	f.stick(full, fullFor)
	busy := false
	for range 2000 {
		if busy {
			break
		}
		f.observer.Tasks.Go("fill", func() {
			body := f.lastBody(probe)
			answer := line.ask(proto.ReqSendMessage, f.rawSend(body), body, 10*time.Second)
			busy = busy || answer != nil && answer.Code == int(proto.RespSystemBusy) && busyDisk.MatchString(answer.Remark)
		})
		f.observer.Tasks.Sleep(time.Millisecond)
	}
	producer, err := client.NewProducer(f.observer, f.producerOptions()...)
	if err != nil {
		f.failSafety("the probe's producer could not be made: %v", err)
		return
	}
	for range 6 {
		if !busy || full.Broker().Store().Backlog().Bytes < f.waitingMax {
			break
		}
		began := f.observer.Clock.Now()
		result, err := producer.Send(context.Background(), marked(f.topics[0], f.lastBody(probe)))
		switch took := f.observer.Clock.Now().Sub(began); {
		case err != nil:
			f.failLiveness("%s is busy, and the client does not go to another broker: %v", full, err)
		case result.Queue.BrokerName == full.String() && took < time.Second:
			f.failSafety("%s is busy and has stored a message", full)
		default:
			f.kernel.Mark("went to another broker")
		}
	}
	if err := producer.Close(context.Background()); err != nil {
		f.failSafety("the probe's producer does not close: %v", err)
	}
}

// demandAllServe: once the pressure is gone, every queue takes a message at the first try.
func (f *flowControl) demandAllServe(probe *pubsubClient) {
	f.observer.Tasks.Sleep(fullFor)
	f.awaitDisks()
	for _, queue := range f.queues {
		if _, err := probe.steady.SendTo(context.Background(), queue, marked(queue.Topic, f.lastBody(probe))); err != nil {
			f.failLiveness("%v refuses a message though the pressure is gone: %v", queue, err)
		}
	}
	f.kernel.Mark("all serve again")
}

// number reads one of the numbers that a broker tells of itself.
func (f *fleet) number(n *cluster.Node, table map[string]string, name string) int {
	var number int
	if _, err := fmt.Sscan(table[name], &number); err != nil {
		f.failSafety("%s tells %s=%q", n, name, table[name])
	}
	return number
}
