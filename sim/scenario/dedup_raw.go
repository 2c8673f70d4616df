package scenario

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// handmadeTopic takes what repeaters send.
const handmadeTopic = "handmade"

// repeater is a client made by hand: it sends with sequences of its own, and repeats what and when it likes, answered or not. One producer id
// belongs to one broker.
type repeater struct {
	d      *dedupRun
	number int
	env    env.Env
	random *sim.Stream
	to     *cluster.Node
	id     string
	lines  [2]*rawLine
	opened int
	sends  []*handmade // by sequence, from 1 on
}

// handmade is one send.
type handmade struct {
	sequence int // of the first message
	count    int // messages; more than 1 is a batch
	tries    int
	unknown  bool   // a try had no answer, or one that does not tell
	place    string // what the first answer said that promised something; "": there was none
	repeated int    // answers after that
}

func (d *dedupRun) addRepeaters() {
	for number := range int(d.draw.number("clients made by hand", 1, 3)) {
		_, e := d.cluster.AddClient()
		m := &repeater{d: d, number: number, env: e, random: d.kernel.Stream(fmt.Sprint("repeater ", number)), to: d.cluster.Brokers[number%2]}
		var id [16]byte
		for i := range id {
			id[i] = byte(m.random.Uint64())
		}
		m.id = hex.EncodeToString(id[:])
		e.Tasks.Go("repeat", m.work)
	}
}

// work sends and repeats until the safety phase is over.
func (m *repeater) work() {
	m.d.makers = append(m.d.makers, m)
	m.d.busy++
	pause := m.d.draw.random.Derive(fmt.Sprint("pause of repeater ", m.number)).Between(int64(20*time.Millisecond), int64(500*time.Millisecond))
	for !m.d.stopped {
		m.env.Tasks.Sleep(time.Duration(m.random.Between(0, pause)))
		switch h := m.choose(); {
		case m.random.Chance(0.3):
			m.twice(h)
		default:
			m.try(h, 0)
		}
	}
	m.d.busy--
}

// choose is a new sequence, the last one again, or any other again.
func (m *repeater) choose() *handmade {
	switch {
	case len(m.sends) == 0 || m.random.Chance(0.5):
		h := &handmade{sequence: m.next() + 1, count: 1}
		if m.random.Chance(0.3) {
			h.count = 2 + m.random.IntN(10)
		}
		m.sends = append(m.sends, h)
		return h
	case m.random.Chance(0.6):
		return m.sends[len(m.sends)-1]
	}
	return m.sends[m.random.IntN(len(m.sends))]
}

// next is the last sequence that was given.
func (m *repeater) next() int {
	if len(m.sends) == 0 {
		return 0
	}
	last := m.sends[len(m.sends)-1]
	return last.sequence + last.count - 1
}

// twice sends the same over both connections at once.
func (m *repeater) twice(h *handmade) {
	group := env.NewGroup(m.env.Tasks)
	for n := range m.lines {
		group.Go("send", func() { m.try(h, n) })
	}
	group.Wait()
	if h.repeated > 0 {
		m.d.kernel.Mark("a repeat at once was answered")
	}
}

// line is one of the two connections, made anew if it has ended.
func (m *repeater) line(n int) *rawLine {
	if m.lines[n] == nil || m.lines[n].over {
		m.opened++
		m.lines[n] = nil
		l, err := openLine(m.env, addressOf(m.to), 1000+m.number*300+m.opened%300, func(*rawAnswer) {})
		if err != nil {
			return nil
		}
		m.lines[n] = l
	}
	return m.lines[n]
}

// try sends a sequence once, with another body and to any queue.
func (m *repeater) try(h *handmade, n int) *rawAnswer {
	line := m.line(n)
	if line == nil {
		return nil
	}
	m.d.Operations++
	if h.tries > 0 && h.place == "" && h.unknown {
		m.d.kernel.Mark("a send without an answer was repeated")
	}
	h.tries++
	code, body := m.request(h)
	answer := line.ask(code, map[string]string{
		"a": "handmade", "b": handmadeTopic, "c": proto.DefaultTopic, "d": "4", "e": strconv.Itoa(m.random.IntN(4)), "f": "0", "g": "1", "h": "0", "i": "", "j": "0", "k": "false", "m": "false",
		"gantryProducer": m.id, "gantrySequence": strconv.Itoa(h.sequence),
	}, body, time.Duration(m.random.Between(int64(100*time.Millisecond), int64(3*time.Second))))
	m.answered(h, answer)
	return answer
}

// request is the code and the body of a try. The messages of a batch are so long that a torn write may leave the first ones.
func (m *repeater) request(h *handmade) (code int32, body []byte) {
	text := fmt.Appendf(nil, "handmade %d/%d/%d", m.number, h.sequence, h.tries)
	if h.count == 1 {
		return proto.ReqSendMessageV2, text
	}
	for n := range h.count {
		var err error
		body, err = message.AppendBatchElement(body, &message.BatchElement{Body: append(fmt.Appendf(text[:len(text):len(text)], "/%d", n), make([]byte, 300)...)})
		if err != nil {
			panic(err) // it is short
		}
	}
	return proto.ReqSendBatchMessage, body
}

// answered compares an answer with the first one.
func (m *repeater) answered(h *handmade, answer *rawAnswer) {
	switch {
	case answer == nil:
		h.unknown = true
	case answer.Code == int(proto.RespSuccess):
		m.acknowledged(h, answer)
	case answer.Code == int(proto.RespIllegalOperation):
		m.d.kernel.Mark("below the window")
		if later := m.next() - h.sequence; later < m.d.window {
			m.d.failSafety("sequence %d is refused as below the window, though only %d were sent since: %v", h.sequence, later, answer)
		}
	case answer.Code == int(proto.RespSystemBusy), answer.Code == int(proto.RespServiceNotAvailable):
		// Nothing is stored by this try.
	default:
		h.unknown = true
	}
}

func (m *repeater) acknowledged(h *handmade, answer *rawAnswer) {
	place := fmt.Sprintf("%s queue %s at %s", answer.Fields["msgId"], answer.Fields["queueId"], answer.Fields["queueOffset"])
	if answer.Fields["gantryQueueOffsets"] != "" {
		m.d.kernel.Mark("a batch that a crash has parted was completed")
	}
	switch h.place {
	case "":
		h.place = place
		m.d.injector.Acknowledged(m.to.String())
	case place:
		h.repeated++
		m.d.kernel.Mark("a repeat was answered")
		if m.next()-h.sequence > 20 {
			m.d.kernel.Mark("a repeat long after was answered")
		}
	default:
		m.d.failSafety("sequence %d of %s was answered with %s, and then with %s", h.sequence, m.id, h.place, place)
	}
	if h.repeated > 0 && h.tries == 2 {
		m.d.injector.Acknowledged(m.to.String())
	}
}

// repeatAll sends every sequence once more, in a world in which nothing is broken.
func (m *repeater) repeatAll() {
	for _, h := range m.sends {
		deadline := m.env.Clock.Now().Add(wakeWithin)
		for {
			answer := m.try(h, 0)
			if answer != nil && (answer.Code == int(proto.RespSuccess) || answer.Code == int(proto.RespIllegalOperation)) {
				break
			}
			if deadline.Reached(m.env.Clock.Now()) {
				m.d.failLiveness("nothing is broken, and sequence %d of %s is answered with %v", h.sequence, m.id, answer)
				return
			}
			m.env.Tasks.Sleep(50 * time.Millisecond)
		}
	}
	m.d.kernel.Mark("repeated while all was quiet")
}
