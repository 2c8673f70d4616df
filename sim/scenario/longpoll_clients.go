package scenario

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file is about who pulls.

// poller is a machine that pulls: by hand over lines, or with the library.
type poller struct {
	l       *longpoll
	member  *fleetMember
	library bool
	cuts    bool // it cuts its lines now and then
	lines   int  // to each broker
	slots   map[string][]*slot
}

// slot is one pull after the other.
type slot struct {
	poller *poller
	number int
	group  *filterGroup
	queue  client.Queue
	next   client.QueueOffset // where the last answer said to go on
}

// live is the machine's work in one boot.
func (p *poller) live(m *fleetMember, e env.Env) {
	if p.l.began == 0 {
		p.l.began = e.Clock.Now()
	}
	if p.library {
		p.pullWithLibrary(e)
		return
	}
	for _, n := range p.l.cluster.Brokers {
		for line := range p.lines {
			e.Tasks.Go("line", func() {
				for !p.l.leaving {
					p.pullByHand(e, n, fmt.Sprint(n, " ", line))
					e.Tasks.Sleep(time.Duration(p.member.random.Between(0, int64(500*time.Millisecond))))
				}
			})
		}
	}
}

// slotsOf are those of a line to a broker, the same for each life of the line.
func (p *poller) slotsOf(line string, n *cluster.Node) []*slot {
	if p.slots[line] == nil {
		var queues []client.Queue
		for _, queue := range p.l.queues {
			if n == nil || queue.BrokerName == n.String() {
				queues = append(queues, queue)
			}
		}
		random := p.member.random
		for number := range 1 + random.IntN(p.l.slots) {
			p.slots[line] = append(p.slots[line], &slot{
				poller: p, number: number, group: p.l.groups[random.IntN(len(p.l.groups))], queue: queues[random.IntN(len(queues))],
			})
		}
	}
	return p.slots[line]
}

// pullByHand is the life of one line.
func (p *poller) pullByHand(e env.Env, n *cluster.Node, name string) {
	p.l.lines++
	address := p.l.address(client.Queue{BrokerName: n.String()})
	line, err := openLine(e, address, p.l.lines, func(answer *rawAnswer) {
		p.l.failSafety("%s got an answer with opaque %d and code %d, which it does not wait for", p.member, answer.Opaque, answer.Code)
	})
	if err != nil {
		return
	}
	defer line.close()
	beats := p.member.random.Chance(0.3) && p.beat(line)
	beaten := e.Clock.Now()
	p.l.kernel.Mark("a line was opened")
	for _, s := range p.slotsOf(name, n) {
		p.l.polling++
		e.Tasks.Go("slot", func() {
			for !line.over && !p.l.leaving {
				s.pull(line, n, beats, beaten)
			}
			p.l.polling--
		})
	}
	cut := e.Clock.Now().Add(time.Duration(p.member.random.Between(0, int64(20*time.Second))))
	beat := e.Clock.Now().Add(beatEvery)
	for !line.over {
		e.Tasks.Sleep(100 * time.Millisecond)
		if now := e.Clock.Now(); beat.Reached(now) {
			// Also one that pulls with its expressions: a connection without traffic is closed.
			beat = now.Add(beatEvery)
			p.beat(line)
		}
		if p.l.leaving || p.cuts && !p.l.stopped && cut.Reached(e.Clock.Now()) {
			if len(line.calls) > 0 {
				p.l.kernel.Mark("connection cut while pulls are held")
			}
			return
		}
	}
}

// beatEvery is how often brokers hear of a line.
const beatEvery = 20 * time.Second

// beat tells the broker what all groups want.
func (p *poller) beat(line *rawLine) bool {
	data := &proto.HeartbeatData{ClientID: fmt.Sprint("poller", p.member.number, "@", line.conn.Local())}
	for _, g := range p.l.groups {
		consumer := proto.ConsumerData{Group: g.name, Model: proto.Clustering}
		for _, topic := range p.l.topics {
			consumer.Subscriptions = append(consumer.Subscriptions, proto.SubscriptionData{
				Topic: topic, Expression: g.text, ExpressionType: g.expressionType(), Version: 1,
			})
		}
		data.Consumers = append(data.Consumers, consumer)
	}
	answer := line.ask(proto.ReqHeartbeat, nil, data.Marshal(), 10*time.Second)
	return answer != nil && answer.Code == int(proto.RespSuccess)
}

func (g *filterGroup) expressionType() string {
	if g.tree != nil {
		return proto.ExpressionSQL
	}
	return proto.ExpressionTag
}

// pull asks once by hand and judges the answer.
func (s *slot) pull(line *rawLine, n *cluster.Node, beats bool, beaten env.Instant) {
	l, random := s.poller.l, s.poller.member.random
	if random.Chance(0.02) {
		s.pullWrongly(line, n)
		return
	}
	p := s.drawPull(l)
	flags := proto.PullFlags(0)
	if p.holds {
		flags |= proto.PullHold
	}
	if beats && random.Chance(0.5) {
		p.beaten = beaten
		l.kernel.Mark("asked with a heartbeat's subscription")
	} else {
		flags |= proto.PullSubscription
	}
	if random.Chance(0.2) {
		flags |= proto.PullCommit
	}
	if random.Chance(0.1) {
		flags |= proto.PullLite
	}
	fields := p.fields(flags)
	code := proto.ReqPullMessage
	if flags.Has(proto.PullLite) {
		code = proto.ReqLitePullMessage
	}
	l.begin(p, n)
	answer := line.ask(int32(code), fields, nil, min(p.hold(), 30*time.Second)+time.Duration(random.Between(int64(5*time.Second), int64(40*time.Second))))
	l.end(p)
	if answer == nil {
		l.gaveUp(p)
		return
	}
	p.answeredBy(l, answer)
	s.rest(line.env)
}

// rest keeps who is answered at once from asking without end.
func (s *slot) rest(e env.Env) {
	e.Tasks.Sleep(time.Duration(s.poller.member.random.Between(0, int64(400*time.Millisecond))))
}

// fields are the header of the request.
func (p *polled) fields(flags proto.PullFlags) map[string]string {
	fields := map[string]string{
		"consumerGroup": p.group.name, "topic": p.queue.Topic, "queueId": fmt.Sprint(p.queue.QueueID), "queueOffset": fmt.Sprintf("%d", p.from),
		"maxMsgNums": fmt.Sprint(p.count), "sysFlag": fmt.Sprint(int32(flags)), "commitOffset": fmt.Sprintf("%d", max(p.from, 0)),
		"suspendTimeoutMillis": fmt.Sprint(p.asked), "subVersion": "1", "expressionType": p.group.expressionType(),
	}
	if flags.Has(proto.PullSubscription) {
		fields["subscription"] = p.group.text
	}
	if p.bytes > 0 {
		fields["maxMsgBytes"] = fmt.Sprint(p.bytes)
	}
	return fields
}

// answeredBy takes an answer apart and judges it.
func (p *polled) answeredBy(l *longpoll, answer *rawAnswer) {
	got := pollAnswer{polled: p, code: answer.Code, remark: answer.Remark}
	offset := func(name string) client.QueueOffset {
		n, err := strconv.ParseInt(answer.Fields[name], 10, 64)
		if err != nil && got.isPull() {
			l.failSafety("%v: the answer with code %d has %s=%q", p, answer.Code, name, answer.Fields[name])
		}
		return client.QueueOffset(n)
	}
	got.next, got.min, got.max = offset("nextBeginOffset"), offset("minOffset"), offset("maxOffset")
	for r, err := range message.DecodeRecords(answer.body, true) {
		if err != nil {
			l.failSafety("%v: the answer has a record that cannot be read: %v", p, err)
			return
		}
		l.check(&got, &client.Message{Topic: string(r.Topic), Body: r.Body, Properties: message.ParseProperties(r.Properties)},
			r.QueueID, client.QueueOffset(r.QueueOffset))
	}
	l.answered(&got)
}

// pullWrongly asks for what there is not. However long it may be held, it is refused at once.
func (s *slot) pullWrongly(line *rawLine, n *cluster.Node) {
	l := s.poller.l
	p := s.drawPull(l)
	fields := p.fields(proto.PullHold | proto.PullSubscription)
	want := int(proto.RespTopicNotExist)
	switch s.poller.member.random.IntN(3) {
	case 0:
		fields["topic"] = "nowhere"
	case 1:
		fields["queueId"], want = "1000", int(proto.RespInvalidParameter)
	default:
		fields["consumerGroup"], want = "no group", int(proto.RespSubscriptionGroupNotExist)
	}
	p.asked = 0
	l.begin(p, n)
	answer := line.ask(proto.ReqPullMessage, fields, nil, time.Minute)
	l.end(p)
	switch {
	case answer == nil:
	case answer.Code == want:
		l.kernel.Mark("pull refused at once")
	case !l.mayRefuse(p):
		l.failSafety("a pull with the fields %v was answered with code %d (%s), want %d", fields, answer.Code, answer.Remark, want)
	}
	s.rest(line.env)
}

// pullWithLibrary pulls with a pull consumer for each group, each over connections of its own.
func (p *poller) pullWithLibrary(e env.Env) {
	for _, g := range p.l.groups {
		filter := client.Tags(g.text)
		if g.tree != nil {
			filter = client.SQL(g.text)
		}
		hold := time.Duration(p.member.random.Between(int64(100*time.Millisecond), int64(p.l.holdMax)))
		options := []client.ConsumerOption{
			client.WithNameServers(p.l.cluster.NameServerAddresses()...), client.WithGroup(g.name), client.WithHold(hold), client.WithPullTimeout(hold + 2*time.Second),
			client.WithRequestTimeout(time.Second), client.WithRouteRefresh(time.Second), client.WithInstanceName(g.name),
		}
		for _, topic := range p.l.topics {
			options = append(options, client.WithSubscription(topic, filter))
		}
		consumer, err := client.NewPullConsumer(e, options...)
		if err != nil {
			p.l.failSafety("a pull consumer could not be made: %v", err)
			return
		}
		for _, s := range p.slotsOf(g.name, nil) {
			s.group = g
			p.l.polling++
			e.Tasks.Go("slot", func() {
				for !p.l.leaving {
					s.pullWith(consumer, e, hold)
				}
				p.l.polling--
			})
		}
	}
}

// pullWith asks once with the library.
func (s *slot) pullWith(consumer *client.PullConsumer, e env.Env, hold time.Duration) {
	l := s.poller.l
	p := s.drawPull(l)
	p.asked, p.holds, p.count = hold.Milliseconds(), true, max(p.count, 1)
	l.begin(p, l.node(s.queue))
	result, err := consumer.Pull(context.Background(), s.queue, p.from, p.count)
	l.end(p)
	if err != nil {
		var refused *client.ResponseError
		if errors.As(err, &refused) && !l.mayRefuse(p) {
			l.failSafety("%v was refused: %v", p, err)
		}
		l.gaveUp(p)
		s.rest(e)
		return
	}
	got := pollAnswer{polled: p, next: result.Next, min: result.Min, max: result.Max, remark: result.Status.String()}
	got.code = map[client.PullStatus]int{
		client.NewMessages: proto.RespSuccess, client.NoNewMessages: proto.RespPullNotFound,
		client.NoMatched: proto.RespPullRetryImmediately, client.OffsetMoved: proto.RespPullOffsetMoved,
	}[result.Status]
	for _, m := range result.Messages {
		l.check(&got, &m.Message, m.Queue.QueueID, m.Offset)
		l.kernel.Mark("library pull brought messages")
	}
	l.answered(&got)
	s.rest(e)
}
