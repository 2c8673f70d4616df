package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// aclWorker is a machine on which somebody works with the library in the name of one account, or forges requests, or listens.
type aclWorker struct {
	a        *aclRun
	name     string
	env      env.Env
	random   *sim.Stream
	account  string
	group    string
	begin    func() // its task
	sent     int
	producer *client.Producer
	consumer *client.PullConsumer
	admin    *client.Admin
	raw      *rawClient
}

func (a *aclRun) addWorkers(workers, forgers, listeners int) (machines []*sim.Machine) {
	add := func(name string, begin func(w *aclWorker)) {
		machine, e := a.cluster.AddClient()
		w := &aclWorker{a: a, name: name, env: e, random: a.kernel.Stream(name)}
		w.account = a.accounts[w.random.IntN(len(a.accounts))]
		w.group = aclGroups[w.random.IntN(2)]
		w.begin = func() { begin(w) }
		a.workers, machines = append(a.workers, w), append(machines, machine)
	}
	for i := range workers {
		add(fmt.Sprint("worker ", i), (*aclWorker).work)
	}
	for i := range forgers {
		add(fmt.Sprint("forger ", i), (*aclWorker).forge)
	}
	for i := range listeners {
		add(fmt.Sprint("listener ", i), (*aclWorker).listen)
	}
	return machines
}

func (w *aclWorker) start() {
	w.a.busy++
	w.env.Tasks.Go(w.name, func() {
		w.begin()
		w.a.busy--
	})
}

// connect makes the library's clients.
func (w *aclWorker) connect() (err error) {
	names, who := client.WithNameServers(w.a.cluster.NameServerAddresses()...), as(w.account)
	quick, fresh := client.WithRequestTimeout(time.Second), client.WithRouteRefresh(5*time.Second)
	if w.producer, err = client.NewProducer(w.env, names, who, quick, fresh, client.WithGroup("producers"), client.WithSendTimeout(2*time.Second), client.WithRetries(0, 0)); err != nil {
		return err
	}
	w.consumer, err = client.NewPullConsumer(w.env, names, who, quick, fresh, client.WithGroup(w.group), client.WithHold(w.a.work.hold),
		client.WithPullTimeout(w.a.work.hold+2*time.Second))
	if err != nil {
		return err
	}
	w.admin, err = client.NewAdmin(w.env, names, who, quick)
	return err
}

func (w *aclWorker) pause() {
	w.env.Tasks.Sleep(time.Duration(w.random.Between(0, int64(w.a.work.think))))
}

// work is the task of one who uses the library as it is meant.
func (w *aclWorker) work() {
	if err := w.connect(); err != nil {
		w.a.failSafety("%s: the library's clients could not be made: %v", w.name, err)
		return
	}
	next := map[client.Queue]client.QueueOffset{}
	for !w.a.stopped {
		queue := w.a.queues[w.random.IntN(len(w.a.queues))]
		switch n := w.random.IntN(20); {
		case n < 7:
			w.send(queue)
		case n < 12:
			next[queue] = w.pull(queue, next[queue])
		case n < 15:
			w.commit(queue, next[queue])
		case n < 17:
			w.make(w.node(queue), "topic made-", func(address, name string) error {
				return w.admin.UpdateTopic(context.Background(), address, client.TopicConfig{Name: name, ReadQueues: 1, WriteQueues: 1, Perm: permReadWrite})
			}, func(name string) wish { return topicWish(name, ruleCreate) })
		case n < 19:
			w.make(w.node(queue), "group crewmade-", func(address, name string) error {
				return w.admin.UpdateGroup(context.Background(), address, proto.NewSubscriptionGroupConfig(name))
			}, func(name string) wish { return groupWish(name, ruleCreate|ruleUpdate) })
		default:
			w.grab(w.node(queue))
		}
		w.pause()
	}
}

func (w *aclWorker) node(queue client.Queue) *cluster.Node { return w.a.broker(queue.BrokerName) }

// broker finds one by its name.
func (a *aclRun) broker(name string) *cluster.Node {
	for _, n := range a.cluster.Brokers {
		if n.String() == name {
			return n
		}
	}
	panic("no broker is named " + name)
}

// body makes one that is different from all others.
func (w *aclWorker) body() []byte {
	w.sent++
	body := fmt.Appendf(nil, "%s/%08d/", w.name, w.sent)
	most := int64(100)
	if w.random.Chance(0.1) {
		most = w.a.work.bodyMax // signatures of large ones are computed elsewhere
	}
	for range w.random.Between(0, most) {
		body = append(body, byte(w.random.Uint64()))
	}
	return body
}

// message begins to send one.
func (w *aclWorker) message(n *cluster.Node, account string, password int, topic string, wishes ...wish) *aclMessage {
	m := &aclMessage{aclDeed: w.a.deed("a message to "+topic, n, account, password, wishes...), topic: topic, body: w.body()}
	w.a.deeds.sent[linearizability.HashOf(m.body)] = m
	return m
}

func (w *aclWorker) send(queue client.Queue) {
	m := w.message(w.node(queue), w.account, 0, queue.Topic, topicWish(queue.Topic, rulePub))
	result, err := w.producer.SendTo(context.Background(), queue, client.NewMessage(queue.Topic, m.body))
	w.a.answered(&m.aclDeed, answerOf(err))
	if err == nil && result.Status == client.SendOK {
		w.stored(m, result.OffsetID, int64(result.QueueOffset))
	}
}

// stored notes where an acknowledged message is.
func (w *aclWorker) stored(m *aclMessage, offsetID string, number int64) {
	id, err := message.ParseOffsetID(offsetID)
	if err != nil {
		w.a.failSafety("%v was stored at %q: %v", m, offsetID, err)
		return
	}
	m.place = aclPlace{int64(id.LogOffset), number}
	w.a.deeds.stored = append(w.a.deeds.stored, m)
	w.a.kernel.Mark("stored")
	w.a.injector.Acknowledged(m.node.String())
}

func (w *aclWorker) pull(queue client.Queue, from client.QueueOffset) client.QueueOffset {
	d := w.a.deed("a pull of "+queue.String(), w.node(queue), w.account, 0, topicWish(queue.Topic, ruleSub), groupWish(w.group, ruleSub))
	result, err := w.consumer.Pull(context.Background(), queue, from, 8)
	w.a.answered(&d, answerOf(err))
	if err != nil {
		return from
	}
	for _, r := range result.Messages {
		w.a.handedOut(&d, r)
	}
	if allowed, _ := w.a.during(&d, w.a.kernel.Now(), w.a.kernel.Now()); !allowed {
		w.a.kernel.Mark("a pull outlived its rights")
	}
	return result.Next
}

// handedOut judges a message that was given to somebody who had asked at some time: since it was sent there was a moment at which that was allowed.
func (a *aclRun) handedOut(d *aclDeed, r *client.Received) {
	a.kernel.Mark("pulled")
	m := a.seen(d.node, r.Queue.Topic, r.Body)
	if m == nil {
		return
	}
	if allowed, _ := a.during(d, max(d.began, m.began), a.kernel.Now()); !allowed {
		a.failSafety("%v brought %v, though it was allowed at no time since that was sent", d, m)
	}
}

func (w *aclWorker) commit(queue client.Queue, most client.QueueOffset) {
	c := &aclCommit{
		aclDeed: w.a.deed("a commit of "+queue.String(), w.node(queue), w.account, 0, topicWish(queue.Topic, ruleSub|ruleUpdate), groupWish(w.group, ruleSub|ruleUpdate)),
		offset:  client.QueueOffset(w.random.Between(0, int64(most))),
	}
	key := w.group + " " + queue.String()
	w.a.deeds.commits[key] = append(w.a.deeds.commits[key], c)
	err := w.consumer.Commit(context.Background(), queue, c.offset)
	w.a.answered(&c.aclDeed, answerOf(err))
	if c.done {
		w.a.kernel.Mark("committed")
	}
}

// make makes a topic or a group of a new name.
func (w *aclWorker) make(n *cluster.Node, kind string, do func(address, name string) error, need func(name string) wish) {
	w.sent++
	sort, name := kind[:5], fmt.Sprintf("%s%s-%d", kind[6:], w.name[len(w.name)-1:], w.sent)
	d := w.a.deed("making "+sort+" "+name, n, w.account, 0, need(name))
	w.a.deeds.made[n.String()+" "+sort+" "+name] = &d
	w.a.answered(&d, answerOf(do(addressOf(n), name)))
	if d.done {
		w.a.kernel.Mark("a " + sort + " was made")
	}
}

// listen is the task of one to whom messages are pushed.
func (w *aclWorker) listen() {
	options := []client.PushOption{
		client.WithNameServers(w.a.cluster.NameServerAddresses()...), as(w.account), client.WithGroup(aclPushGroup), client.WithConsumeFrom(client.FromFirst),
		client.WithHold(w.a.work.hold), client.WithPullTimeout(w.a.work.hold + 2*time.Second), client.WithRequestTimeout(time.Second), client.WithRouteRefresh(5 * time.Second),
		client.WithHandler(func(_ context.Context, messages []*client.Received) error {
			for _, r := range messages {
				d := aclDeed{what: "a push", node: w.node(r.Queue), account: w.account, wishes: []wish{topicWish(r.Queue.Topic, ruleSub), groupWish(aclPushGroup, ruleSub)}}
				w.a.handedOut(&d, r)
				w.a.kernel.Mark("pushed")
			}
			return nil
		}),
	}
	for _, topic := range aclTopics {
		options = append(options, client.WithSubscription(topic, client.Tags("*")))
	}
	consumer, err := client.NewPushConsumer(w.env, options...)
	if err != nil {
		w.a.failSafety("%s: the consumer could not be made: %v", w.name, err)
		return
	}
	for consumer.Start(context.Background()) != nil && !w.a.stopped {
		w.env.Tasks.Sleep(200 * time.Millisecond)
	}
	for !w.a.stopped {
		w.env.Tasks.Sleep(200 * time.Millisecond)
	}
	if err := consumer.Close(context.Background()); err != nil {
		w.a.failSafety("%s does not close: %v", w.name, err)
	}
}
