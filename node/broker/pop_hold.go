package broker

import (
	"slices"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/transport/proto"
)

// heldPops holds pops that found nothing until a message arrives, one that was popped is visible again, or their time is over (class
// PopLongPollingService). Those of a group and a topic stand in line: who waits longest is served first.
type heldPops struct {
	broker  *Broker
	lines   map[popKey]*popLine
	byTopic map[string][]*popLine
	order   []*popLine // all lines, each at its place
	ready   *env.Queue[*popLine]
	count   int // held or being served; <= Options.HeldPopsMax
	tasks   *env.Group
	closing bool
}

// popKey names a line.
type popKey struct{ group, topic string }

// popLine is one line.
type popLine struct {
	key     popKey
	place   int           // in the order of all
	waiting []*popRequest // first come, first served
	ready   bool          // it is to be served, or is being served
	again   bool          // there is something new since it is being served
	later   bool          // there is something that could not be taken: to be tried at the next holdStep
}

func newHeldPops(b *Broker) *heldPops {
	return &heldPops{
		broker: b, lines: map[popKey]*popLine{}, byTopic: map[string][]*popLine{},
		ready: env.NewQueue[*popLine](b.env.Tasks, b.options.HeldPopsMax), tasks: env.NewGroup(b.env.Tasks),
	}
}

func (w *heldPops) start() {
	for range answerers {
		w.tasks.Go("answer held pops", w.serveLoop)
	}
	w.tasks.Go("end held pops", w.expireLoop)
}

// hold keeps a pop until its time is over. It reports false if there are too many.
func (w *heldPops) hold(p *popRequest) bool {
	key := popKey{p.group.Name, p.topic}
	line := w.lines[key]
	switch {
	case w.closing || w.count >= w.broker.options.HeldPopsMax:
		return false
	case line == nil:
		line = &popLine{key: key, place: len(w.order)}
		w.lines[key], w.order = line, append(w.order, line)
		w.byTopic[p.topic] = append(w.byTopic[p.topic], line)
	case len(line.waiting) >= w.broker.options.HeldPopsOfLineMax:
		return false
	}
	p.held, p.reply = true, p.reply.Held()
	w.count++
	line.waiting = append(line.waiting, p)
	if w.news(p) {
		// It came while this pop looked at another queue.
		w.wake(line)
	}
	return true
}

// news reports whether there is something in the queues of a pop that was not looked at.
func (w *heldPops) news(p *popRequest) bool {
	b := w.broker
	now := b.env.Clock.Now()
	for _, from := range b.pops.sources(p) {
		q := inflight.Queue{Group: p.group.Name, Topic: from.queue.Topic, ID: from.queue.ID}
		_, end := b.store.Bounds(from.queue)
		next, known := b.pops.state.Next(q)
		inFlight, _ := b.pops.state.Holds(q)
		switch {
		case b.pops.busy[q]:
			// Who pops there wakes the line if it has turned somebody away.
			b.pops.missed[q] = true
		case p.ordered && b.pops.state.Blocked(q, now, p.attempt):
		case !known && end > 0, known && next < end && inFlight < b.options.InFlightMax, b.pops.state.Soonest(q).Reached(now):
			return true
		}
	}
	return false
}

// arrived is told of each message of a topic.
func (w *heldPops) arrived(topic string) {
	for _, line := range w.byTopic[topic] {
		w.wake(line)
	}
}

// wakeLine is told that a group may have messages of a topic which it could not have before. Whoever waits at another topic for those of
// its retry topic is woken, too.
func (w *heldPops) wakeLine(group, topic string) {
	w.wakeIfHeld(popKey{group, topic})
	if !proto.IsRetryTopic(topic) {
		return
	}
	for _, retry := range []proto.PopRetry{proto.PopRetryV1, proto.PopRetryV2} {
		if wanted, ok := strings.CutPrefix(topic, proto.PopRetryTopic(group, "", retry)); ok {
			w.wakeIfHeld(popKey{group, wanted})
		}
	}
}

func (w *heldPops) wakeIfHeld(key popKey) {
	if line := w.lines[key]; line != nil {
		w.wake(line)
	}
}

// cannotPass is told that it could not be stored that messages do not match.
func (w *heldPops) cannotPass(key popKey) {
	if line := w.lines[key]; line != nil {
		line.later = true
	}
}

func (w *heldPops) wake(line *popLine) {
	switch {
	case line.ready:
		line.again = true
	case w.ready.TryPush(line):
		// There are no more lines than pops, which are bounded likewise.
		line.ready = true
	}
}

func (w *heldPops) serveLoop() {
	for {
		line, ok := w.ready.Pop()
		if !ok {
			return
		}
		for line.again = true; line.again; {
			line.again = false
			w.serve(line)
			// Others have their turn: what is new may come as fast as it is served.
			w.broker.env.Tasks.Yield()
		}
		line.ready = false
		w.leave(line)
	}
}

// serve answers the pops of a line, until there is nothing for any of them. While one is being served it is not in the line, so that
// nobody else answers it.
func (w *heldPops) serve(line *popLine) {
	empty := map[popKind]bool{} // there is nothing for the pops of that kind that come after
	first := func() int {
		return slices.IndexFunc(line.waiting, func(p *popRequest) bool { return !empty[ofKind(p)] })
	}
	for i := first(); i >= 0; i = first() {
		p := line.waiting[i]
		line.waiting = slices.Delete(line.waiting, i, i+1)
		switch {
		case w.broker.pops.attempt(p):
			w.count--
		case w.closing || p.holdUntil.Reached(w.broker.env.Clock.Now()):
			w.count--
			p.foundNothing()
		case w.broker.pops.turnedAway(p):
			// Release has not seen it.
			w.count--
		default:
			line.waiting = slices.Insert(line.waiting, min(i, len(line.waiting)), p)
			w.tryAgain(line, p)
			empty[ofKind(p)] = true
		}
	}
}

// tryAgain sees to a pop that has found nothing where there is something now. One that has got no further on its way there tries again only by and
// by: whatever keeps it from that may last.
func (w *heldPops) tryAgain(line *popLine, p *popRequest) {
	switch {
	case !w.news(p):
	case p.advanced:
		line.again = true
	default:
		line.later = true
	}
}

// popKind is what pops have in common of which all find something or none does. Ordered ones wait where others need not.
type popKind struct {
	queueID int32
	ordered bool
	attempt string
}

func ofKind(p *popRequest) popKind { return popKind{p.queueID, p.ordered, p.attempt} }

// leave forgets a line in which nobody stands.
func (w *heldPops) leave(line *popLine) {
	if len(line.waiting) > 0 || line.ready || w.lines[line.key] != line {
		return
	}
	delete(w.lines, line.key)
	last := len(w.order) - 1
	w.order[line.place], w.order[last].place = w.order[last], line.place
	w.order[last] = nil
	w.order = w.order[:last]
	lines := w.byTopic[line.key.topic]
	i := slices.Index(lines, line)
	if lines = slices.Delete(lines, i, i+1); len(lines) == 0 {
		delete(w.byTopic, line.key.topic)
		return
	}
	w.byTopic[line.key.topic] = lines
}

// expireLoop answers pops whose time is over, and wakes lines for which something is visible again.
func (w *heldPops) expireLoop() {
	for !w.closing {
		w.broker.stop.WaitUntil(w.broker.env.Clock.Now().Add(holdStep))
		now := w.broker.env.Clock.Now()
		for _, line := range slices.Clone(w.order) {
			w.end(line, func(p *popRequest) bool { return w.closing || p.holdUntil.Reached(now) || p.reply.Conn().Closed() })
			if len(line.waiting) > 0 && !line.ready && (line.later || w.visibleAgain(line, now)) {
				line.later = false
				w.wake(line)
			}
		}
	}
}

func (w *heldPops) visibleAgain(line *popLine, now env.Instant) bool {
	pops := w.broker.pops
	topic := w.broker.topics.byName[line.key.topic]
	if topic == nil {
		return true // whoever waits is told
	}
	reached := func(topic string, id int32) bool {
		return pops.state.Soonest(inflight.Queue{Group: line.key.group, Topic: topic, ID: id}).Reached(now)
	}
	for id := range topic.ReadQueues {
		if reached(topic.Name, id) {
			return true
		}
	}
	return slices.ContainsFunc(pops.retrySources(line.key.group, topic.Name), func(s source) bool { return reached(s.queue.Topic, s.queue.ID) })
}

// end answers those of a line that match with nothing.
func (w *heldPops) end(line *popLine, match func(*popRequest) bool) {
	line.waiting = slices.DeleteFunc(line.waiting, func(p *popRequest) bool {
		over := match(p)
		if over {
			w.count--
			p.foundNothing()
		}
		return over
	})
	w.leave(line)
}

// release answers the pops that match: their group or topic was deleted, or rights have changed. Who pops again is told.
func (w *heldPops) release(match func(*popRequest) bool) {
	for _, line := range slices.Clone(w.order) {
		w.end(line, match)
	}
}

// polling is how many pops of a group wait at a queue, or at all of a topic's.
func (w *heldPops) polling(group, topic string, queueID int32) (count int32) {
	if line := w.lines[popKey{group, topic}]; line != nil {
		for _, p := range line.waiting {
			if p.queueID == queueID || p.queueID < 0 || queueID < 0 {
				count++
			}
		}
	}
	return count
}

// close answers all held pops and ends the tasks.
func (w *heldPops) close() {
	w.closing = true
	w.release(func(*popRequest) bool { return true })
	w.ready.Close()
	w.broker.stop.Broadcast()
	w.tasks.Wait()
}
