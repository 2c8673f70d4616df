package scenario

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

// mastership is what a broker knows as the master of one epoch.
type mastership struct {
	epoch   int32
	acks    map[int64]ack // by id of the follower
	pending [][]int64     // sets that were asked for, and may be in force
	base    int32         // the set epoch that the last of them was based on
	// confirmed is how many records all of them have.
	confirmed int
	// unanswered is a set that was asked for without an answer, based on unansweredBase; nil: there is none.
	unanswered     []int64
	unansweredBase int32
}

// ack is what a follower has told.
type ack struct {
	incarnation int64
	records     int
	at          env.Instant
}

// rule does what masters do.
func (m *replica) rule() {
	line := newRawClient(m.env)
	for {
		m.env.Tasks.Sleep(time.Duration(m.random.Between(int64(m.g.c.pace)/4, int64(m.g.c.pace))))
		if !m.rules() {
			continue
		}
		m.extend()
		m.copyOut()
		m.confirm()
		switch {
		case m.random.Chance(0.02) && !m.g.c.stopped:
			m.handOver(line)
		case m.random.Chance(0.5):
			m.alter(line)
		}
	}
}

// rules reports whether it may serve as the master now.
func (m *replica) rules() bool {
	now := m.g.c.kernel.Now()
	if m.mine == nil || !m.mine.valid(now) || m.quiet || m.view.Master != m.id || m.view.Epoch != m.mine.epoch {
		return false
	}
	if m.master == nil || m.master.epoch != m.view.Epoch {
		m.master = &mastership{epoch: m.view.Epoch, acks: map[int64]ack{}}
	}
	if m.view.SetEpoch > m.master.base {
		m.master.pending = nil // they are in force, or will never be
	}
	if u := m.master; u.unanswered != nil && m.view.SetEpoch == u.unansweredBase+1 && slices.Equal(m.view.InSync, u.unanswered) {
		m.g.c.kernel.Mark("a change without an answer had happened")
		u.unanswered = nil
	}
	return true
}

// extend writes records.
func (m *replica) extend() {
	for range m.random.IntN(3) {
		m.g.c.Operations++
		m.log = append(m.log, record{epoch: m.master.epoch, number: int64(m.g.c.Operations)})
	}
	if m.random.Chance(0.3) {
		m.flush()
	}
}

// copyOut gives records to those who follow, some of them late.
func (m *replica) copyOut() {
	for _, f := range m.g.members {
		follows := f != m && f.machine.Up() && !f.machine.Paused() && f.registered && f.id != 0 && f.view.Master == m.id && f.view.Epoch == m.master.epoch
		if !follows || m.random.Chance(0.3) {
			continue
		}
		same := common(f.log, m.log)
		if same < len(f.log) {
			// What no master has confirmed is cut.
			f.log, f.flushed, f.told = f.log[:same], min(f.flushed, same), min(f.told, same)
		}
		some := m.random.Between(int64(same), int64(len(m.log)))
		if m.random.Chance(0.6) {
			some = int64(len(m.log))
		}
		f.log = append(slices.Clone(f.log), m.log[same:some]...)
		f.tell(len(f.log))
		m.master.acks[f.id] = ack{incarnation: f.incarnation, records: len(f.log), at: m.g.c.kernel.Now()}
	}
}

// effective is who must have a record before it is confirmed: the set, and all that it may have become.
func (m *replica) effective() []int64 {
	all := slices.Clone(m.view.InSync)
	for _, set := range m.master.pending {
		all = append(all, set...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// confirm counts what all have.
func (m *replica) confirm() {
	records := len(m.log)
	for _, id := range m.effective() {
		if id != m.id {
			records = min(records, m.master.acks[id].records)
		}
	}
	m.tell(records)
	m.master.confirmed = max(m.master.confirmed, records)
	m.g.confirm(m.log[:records])
}

// wanted is the set that it would like, and which starts of its members it means.
func (m *replica) wanted() (set []int64, incarnations []string) {
	for _, f := range m.g.members {
		a, heard := m.master.acks[f.id]
		switch {
		case f.id == 0:
		case f == m:
			set = append(set, f.id)
		case heard && a.records == len(m.log) && m.random.Chance(0.9), slices.Contains(m.view.InSync, f.id) && m.g.c.kernel.Now().Sub(a.at) < 2*time.Second:
			set = append(set, f.id)
			if heard {
				incarnations = append(incarnations, fmt.Sprintf("%d:%d", f.id, a.incarnation))
			}
		}
	}
	slices.Sort(set)
	return set, incarnations
}

// alter asks for another set, if it wants one.
func (m *replica) alter(line *rawClient) {
	set, incarnations := m.wanted()
	if slices.Equal(set, m.view.InSync) {
		return
	}
	base, epoch, call := m.view.SetEpoch, m.master.epoch, m.g.c.kernel.Now()
	master := m.master
	master.pending, master.base = append(master.pending, set), max(master.base, base)
	if m.random.Chance(0.2) {
		// What was decided may be told late. Those who have caught up may have died since.
		m.env.Tasks.Sleep(time.Duration(m.random.Between(0, int64(800*time.Millisecond))))
	}
	body, err := json.Marshal(map[string]any{"syncStateSet": set, "syncStateSetEpoch": base})
	if err != nil {
		panic(err) // there are only numbers
	}
	fields := m.with("masterBrokerId", m.id, "masterEpoch", epoch, "invokeTime", 0, "gantryConfirmOffset", int64(master.confirmed)*recordBytes, "gantryIncarnations", strings.Join(incarnations, ";"))
	answer := m.ask(line, proto.ReqControllerAlterSyncStateSet, fields, body)
	switch {
	case answer == nil:
		master.unanswered, master.unansweredBase = set, base
	case answer.Code == proto.RespSuccess:
		view := answer.view()
		view.Master, view.Epoch = m.id, epoch
		m.g.saw(linearizability.GroupOperation{Client: m.machineNumber(), Call: int64(call), Return: int64(m.g.c.kernel.Now()), View: view, Alters: true, Base: base,
			Deed: fmt.Sprintf("set %v based on %d", set, base)})
		if !slices.Equal(view.InSync, set) {
			m.g.c.failSafety("%s asked for the set %v and got %v", m, set, view.InSync)
		}
		if view.SetEpoch >= m.view.SetEpoch {
			m.view = view
		}
	case answer.Code == proto.RespControllerFencedSyncStateSetEpoch:
		m.g.c.kernel.Mark("an alteration was based on an older set")
	}
}

// handOver asks for another master. From here on it counts on nothing that it was promised, and it serves again only when a heartbeat that it
// sends afterwards promises something. It may give up waiting, and then the request may still arrive, late.
func (m *replica) handOver(line *rawClient) {
	call := m.g.c.kernel.Now()
	m.quiet, m.mine, m.gaveUpAt = true, nil, call+1
	m.g.giveUp(m)
	if m.random.Chance(0.5) {
		m.env.Tasks.Go("hand over", func() { m.askToHandOver(newRawClient(m.env), call) })
		m.env.Tasks.Sleep(time.Duration(m.random.Between(0, int64(50*time.Millisecond))))
	} else {
		m.askToHandOver(line, call)
	}
	m.quiet = false
}

func (m *replica) askToHandOver(line *rawClient, call env.Instant) {
	answer := m.ask(line, proto.ReqControllerElectMaster, m.with("brokerId", proto.NoBroker, "designateElect", false, "invokeTime", 0,
		"gantryInsteadOf", m.id, "gantrySentAt", int64(call)), nil)
	if answer != nil && answer.Code == proto.RespSuccess {
		m.take(answer, call, "hand over")
		if m.g.c.kernel.Now().Sub(call) < 200*time.Millisecond {
			m.g.c.kernel.Mark("handed over at once")
		}
	}
}
