package scenario

import (
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file judges pulls and their answers.

// polled is one pull.
type polled struct {
	slot    *slot // nil: the probe's
	group   *filterGroup
	queue   client.Queue
	from    client.QueueOffset
	follows bool // the next pull goes on where the answer says
	count   int
	bytes   int
	asked   int64 // milliseconds to hold, as the request says
	holds   bool

	l       *longpoll
	node    *cluster.Node
	broker  *broker.Broker // that ran when it was asked, nil if none did
	began   env.Instant
	beaten  env.Instant // when the heartbeat was sent whose subscription counts; 0: that of the request does
	boots   int
	ticks   int           // of the machine when it began
	wokenAt time.Duration // how long it had lived when a message that it wants was surely there; negative: never
	owed    bool          // that message was there before it was asked
}

// lived is how long the pull is under way, without pauses of its machine.
func (p *polled) lived() time.Duration {
	lived := p.l.kernel.Now().Sub(p.began)
	if p.slot != nil {
		lived = min(lived, time.Duration(p.slot.poller.member.ticks-p.ticks+1)*tickEvery)
	}
	return lived
}

// gone reports whether the machine that has asked has crashed since.
func (p *polled) gone() bool {
	return p.slot != nil && (p.slot.poller.member.boots != p.boots || !p.slot.poller.member.machine.Up())
}

// pollAnswer is what came.
type pollAnswer struct {
	*polled
	code           int
	remark         string
	next, min, max client.QueueOffset
	got            []gotMessage // in the order of the queue
}

type gotMessage struct {
	offset client.QueueOffset
	hash   linearizability.Hash
}

// isPull reports whether the answer is one of those to a pull that was admitted.
func (a *pollAnswer) isPull() bool {
	switch int32(a.code) {
	case proto.RespSuccess, proto.RespPullNotFound, proto.RespPullRetryImmediately, proto.RespPullOffsetMoved:
		return true
	}
	return false
}

// begin notes a pull that is about to be asked.
func (l *longpoll) begin(p *polled, n *cluster.Node) {
	l.Operations++
	p.l, p.node, p.broker, p.began, p.wokenAt = l, n, n.Broker(), l.kernel.Now(), -1
	if p.slot != nil {
		p.boots, p.ticks = p.slot.poller.member.boots, p.slot.poller.member.ticks
	}
	if l.queueOf(p.queue).wants(p.group, p.from) {
		p.wokenAt, p.owed = 0, true
	}
	l.open = append(l.open, p)
}

func (l *longpoll) end(p *polled) {
	l.ended++
	l.open = slices.DeleteFunc(l.open, func(other *polled) bool { return other == p })
}

// gaveUp notes that nobody waits for the answer any more, which the broker may not know.
func (l *longpoll) gaveUp(p *polled) { l.given = append(l.given, p) }

// Slack of pulls, in a healthy world.
const (
	overSlack = time.Second // after the end of the hold
	// troubleBefore is how long the effects of a fault may last beyond its end.
	troubleBefore = 5 * time.Second
)

// excuse is how much longer something may take that began at an instant, because of faults: each may hold it up twice, on its way there and
// back, and what is sent again comes a little later.
func (l *longpoll) excuse(began env.Instant) time.Duration {
	excuse := time.Duration(0)
	for _, f := range l.Schedule {
		from, to := l.began.Add(f.At), l.began.Add(f.At+f.For)
		if from <= l.kernel.Now() && to.Add(troubleBefore) >= began {
			excuse += 2*f.For + troubleBefore
		}
	}
	return excuse
}

// orphaned reports whether the broker that was asked does not run any more.
func (p *polled) orphaned() bool { return p.broker == nil || p.node.Broker() != p.broker }

// mayRefuse reports whether a pull that is in order may be refused all the same.
func (l *longpoll) mayRefuse(p *polled) bool {
	began := p.began
	if p.beaten > 0 {
		// Brokers take a heartbeat although they cannot make its group now.
		began = min(began, p.beaten)
	}
	return p.orphaned() || l.excuse(began) > 0
}

// overdue tells what is wrong with a pull that has not ended, or "".
func (l *longpoll) overdue(p *polled) string {
	lived := p.lived()
	late := lived > p.hold()+overSlack
	unwoken := p.wokenAt >= 0 && lived > p.wokenAt+wakeWithin
	if !late && !unwoken || p.gone() || p.orphaned() {
		return ""
	}
	excuse := l.excuse(p.began)
	switch {
	case unwoken && lived > p.wokenAt+wakeWithin+excuse:
		return fmt.Sprintf("%v: a message that it wants has been there for %s (of queue known up to %d)", p, lived-p.wokenAt, l.queueOf(p.queue).end)
	case late && lived > p.hold()+overSlack+excuse:
		return fmt.Sprintf("%v has not ended after %s", p, lived)
	}
	return ""
}

// watch is the task that looks for pulls that should have ended.
func (l *longpoll) watch() {
	for {
		l.observer.Tasks.Sleep(tickEvery)
		l.open = slices.DeleteFunc(l.open, func(p *polled) bool {
			if p.gone() {
				l.gaveUp(p)
			}
			return p.gone()
		})
		for _, p := range l.open {
			if wrong := l.overdue(p); wrong != "" {
				l.failSafety("%s", wrong)
				return
			}
			if p.orphaned() && p.broker != nil {
				l.kernel.Mark("broker has ended while a pull was held")
			}
		}
	}
}

// countAll is the task that asks brokers what they hold.
func (l *longpoll) countAll() {
	net, random := newRawClient(l.observer), l.kernel.Stream("count")
	for {
		l.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(time.Second))))
		l.countHeld(net, l.cluster.Brokers[random.IntN(len(l.cluster.Brokers))])
	}
}

// countHeld compares what a broker says that it holds with what it may.
func (l *longpoll) countHeld(net *rawClient, n *cluster.Node) {
	b, began, before := n.Broker(), l.kernel.Now(), l.ended
	held, ok := l.held(net, n)
	if !ok || n.Broker() != b {
		return
	}
	l.given = slices.DeleteFunc(l.given, func(p *polled) bool {
		return began > p.began.Add(p.hold()+overSlack+l.excuse(p.began))
	})
	may := l.ended - before // it was asked at some moment since
	for _, list := range [][]*polled{l.open, l.given} {
		for _, p := range list {
			// Also what was asked of a broker before: the request may come only now.
			if p.node == n {
				may++
			}
		}
	}
	switch {
	case held > l.limit:
		l.failSafety("%s holds %d pulls, its limit is %d", n, held, l.limit)
	case held > may:
		l.failSafety("%s holds %d pulls, and at most %d can be under way", n, held, may)
	case held > 0:
		l.kernel.Mark("held pulls counted")
	}
}

// held asks a broker.
func (l *longpoll) held(net *rawClient, n *cluster.Node) (int, bool) {
	table := l.runtime(net, n)
	if table == nil {
		return 0, false
	}
	return l.number(n, table, "pullWaitingRequests"), true
}

// check judges one message of an answer.
func (l *longpoll) check(a *pollAnswer, m *client.Message, queueID int32, offset client.QueueOffset) {
	if err := oracle.Intact(m); err != nil {
		l.failSafety("%v brought at %d: %v", a.polled, offset, err)
	}
	hash := linearizability.HashOf(m.Body)
	properties, last := l.sent[hash], a.from-1
	if n := len(a.got); n > 0 {
		last = a.got[n-1].offset
	}
	switch {
	case m.Topic != a.queue.Topic || queueID != a.queue.QueueID:
		l.failSafety("%v brought a message of queue %d of %s", a.polled, queueID, m.Topic)
	case offset <= last:
		l.failSafety("%v brought offset %d behind %d", a.polled, offset, last)
	case !a.group.wants(properties):
		l.failSafety("%v brought offset %d with %q", a.polled, offset, properties)
	}
	a.got = append(a.got, gotMessage{offset, hash})
	l.arrived(a.queue, offset, properties)
}

// answered judges an answer by itself. What it passed over is judged when the final logs are known.
func (l *longpoll) answered(a *pollAnswer) {
	p, took := a.polled, l.kernel.Now().Sub(a.began)
	if !a.isPull() {
		if !l.mayRefuse(p) {
			l.failSafety("%v was answered with code %d: %s", p, a.code, a.remark)
		}
		return
	}
	calm := !l.mayRefuse(p)
	switch int32(a.code) {
	case proto.RespSuccess:
		l.answeredWithMessages(a)
	case proto.RespPullNotFound:
		if p.owed {
			l.failSafety("%v was told that there is nothing (next %d), though a message that it wants was there before it was asked", p, a.next)
		}
		if calm && took < p.hold()-tickEvery {
			if l.limit > 1000 {
				l.failSafety("%v was held for %s only", p, took)
			}
			l.kernel.Mark("too many held pulls")
		}
		if p.hold() > 0 && took >= p.hold() {
			l.kernel.Mark("held pull ended with its time")
		}
	case proto.RespPullRetryImmediately:
		l.kernel.Mark("nothing matched up to here")
	case proto.RespPullOffsetMoved:
		l.judgeMoved(a)
		return
	}
	if took > 2*tickEvery {
		l.kernel.Mark("pull was held")
	}
	if p.wokenAt > 0 && calm {
		l.kernel.Mark("held pull woke in time")
	}
	if a.next < p.from || a.next == p.from && int32(a.code) != proto.RespPullNotFound {
		l.failSafety("%v: the answer with code %d says to go on at %d", p, a.code, a.next)
	}
	l.answers = append(l.answers, *a)
	if p.follows && p.slot != nil {
		p.slot.next = a.next
	}
}

func (l *longpoll) answeredWithMessages(a *pollAnswer) {
	if len(a.got) == 0 {
		l.failSafety("%v was answered with success and no message", a.polled)
	} else if a.got[len(a.got)-1].offset >= a.next {
		l.failSafety("%v brought offset %d and says to go on at %d", a.polled, a.got[len(a.got)-1].offset, a.next)
	}
	if len(a.got) > max(a.count, 1) {
		l.failSafety("%v brought %d messages, asked for were %d", a.polled, len(a.got), a.count)
	}
	if l.kernel.Now().Sub(a.began) > 2*tickEvery {
		l.kernel.Mark("held pull brought messages")
	}
}

// judgeMoved judges an answer that says that the offset lies outside the queue.
func (l *longpoll) judgeMoved(a *pollAnswer) {
	end := l.queueOf(a.queue).end
	switch {
	case a.from < 0:
		l.kernel.Mark("pull from below the beginning")
	case a.from > a.max:
		l.kernel.Mark("pull from above the end")
	default:
		l.failSafety("%v was told that its offset lies outside [%d, %d), known up to %d", a.polled, a.min, a.max, end)
	}
	if a.next < 0 || a.next > a.max {
		l.failSafety("%v was sent to offset %d of [%d, %d)", a.polled, a.next, a.min, a.max)
	}
}

// knowLogs finds out what each group wants of the final logs.
func (l *longpoll) knowLogs() {
	l.wanted = map[*filterGroup]map[client.Queue][]bool{}
	for _, g := range l.groups {
		l.wanted[g] = map[client.Queue][]bool{}
		for _, queue := range l.queues {
			entries := l.Logs[queue.String()].Entries
			list := make([]bool, len(entries))
			for i, entry := range entries {
				list[i] = g.wants(l.sent[entry.Hash])
				l.markPassedOver(g, list[i], l.sent[entry.Hash])
				l.arrived(queue, client.QueueOffset(entry.Offset), l.sent[entry.Hash])
			}
			l.wanted[g][queue] = list
		}
	}
}

// behind tells which slot has not seen all that its group wants.
func (l *longpoll) behind() string {
	if l.wanted == nil {
		l.knowLogs()
	}
	for _, p := range l.pollers {
		for _, name := range sortedKeys(p.slots) {
			for _, s := range p.slots[name] {
				if wanted := l.wanted[s.group][s.queue]; int(s.next) < len(wanted) && slices.Contains(wanted[s.next:], true) {
					return fmt.Sprintf("slot %d of %s of %s stands at %d of %v, which has more that group %s wants: %s",
						s.number, name, p.member, s.next, s.queue, s.group.name, s.group.text)
				}
			}
		}
	}
	return ""
}

// judgeAnswers compares all answers with the final logs: no message that was wanted was passed over, and none was brought that is not there.
func (l *longpoll) judgeAnswers() {
	for i := range l.answers {
		a := &l.answers[i]
		entries, wanted := l.Logs[a.queue.String()].Entries, l.wanted[a.group][a.queue]
		got := a.got
		for offset := max(a.from, 0); offset < a.next && int(offset) < len(wanted); offset++ {
			brought := len(got) > 0 && got[0].offset == offset
			switch {
			case wanted[offset] && !brought:
				l.failSafety("%v was sent on to %d (code %d), past offset %d, which it wants and did not get", a.polled, a.next, a.code, offset)
				return
			case brought && got[0].hash != entries[offset].Hash:
				l.failSafety("%v brought at %d what is not in the final log", a.polled, offset)
				return
			case brought:
				got = got[1:]
			}
		}
	}
}
