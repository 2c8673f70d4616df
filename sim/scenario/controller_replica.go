package scenario

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
)

// replica is a broker made by hand. It has a log of records and an in-sync set, but no queues and no messages.
type replica struct {
	g       *replicaGroup
	number  int
	machine *sim.Machine
	random  *sim.Stream

	// What is on its disk.
	id          int64 // 0: none yet
	checkCode   string
	applied     int64 // the id that it has applied for without an answer; 0: none
	incarnation int64
	log         []record
	flushed     int // records that a loss of power leaves
	told        int // records that it has told others it has, or counted itself

	// What it knows since its start.
	env        env.Env
	wholeNow   bool // all that it ever told was in its log when it started
	registered bool
	view       linearizability.GroupView
	mine       *lease      // nil: none
	quiet      bool        // it hands over, and sends no heartbeats
	gaveUpAt   env.Instant // what was promised for heartbeats sent before does not count
	master     *mastership
	at         int // the controller that it asks
}

// String names the broker.
func (m *replica) String() string {
	return fmt.Sprintf("%s (%s id %d, incarnation %d)", m.machine.Name(), m.g.name, m.id, m.incarnation)
}

func (m *replica) address() string { return m.machine.Address().String() + ":10911" }

// recordBytes is the size of a record, so that lengths of logs differ by more than 32 bits can count.
const recordBytes = 3 << 30

func (m *replica) logEnd() int64 { return int64(len(m.log)) * recordBytes }

func (m *replica) lastEpoch() int32 {
	if len(m.log) == 0 {
		return 0
	}
	return m.log[len(m.log)-1].epoch
}

// boot starts the broker, if it is down.
func (m *replica) boot() {
	if m.machine.Up() {
		return
	}
	m.incarnation++
	m.env = m.machine.Boot(m.machine.Name())
	m.registered, m.view, m.mine, m.quiet, m.master = false, linearizability.GroupView{}, nil, false, nil
	m.env.Tasks.Go("live", m.live)
	m.env.Tasks.Go("rule", m.rule)
}

// crash ends it. A loss of power takes what was not flushed, or a part of that.
func (m *replica) crash(style sim.CrashStyle) {
	if !m.machine.Up() {
		return
	}
	m.machine.Crash(style)
	m.g.giveUp(m)
	if style == sim.PowerLoss {
		m.log = m.log[:m.random.Between(int64(m.flushed), int64(len(m.log)))]
	}
	m.wholeNow = m.wholeNow && len(m.log) >= m.told
	m.flushed = len(m.log)
	m.g.survey()
}

func (m *replica) flush() { m.flushed = len(m.log) }

// tell notes that others rely on what it has. Some brokers tell before they flush.
func (m *replica) tell(records int) {
	if m.random.Chance(m.g.c.flushFirst) {
		m.flush()
	}
	m.told = max(m.told, records)
}

// live gets an id, registers, and sends heartbeats.
func (m *replica) live() {
	line := newRawClient(m.env)
	every := m.g.c.pace
	for {
		switch {
		case m.id == 0:
			m.getID(line)
		case !m.registered:
			m.register(line)
		case !m.quiet:
			m.beat(line)
		}
		m.env.Tasks.Sleep(time.Duration(m.random.Between(int64(every)/2, int64(every))))
	}
}

// ask asks the controller that it takes for the leader. nil: no answer, or it does not lead.
func (m *replica) ask(line *rawClient, code int32, fields map[string]string, body []byte) *rawAnswer {
	peers := m.g.c.cluster.Peers()
	answer := line.call(peers[m.at].Address, code, fields, body)
	switch {
	case answer == nil:
	case answer.Code == proto.RespControllerNotLeader:
		m.g.c.kernel.Mark("asked who does not lead")
	case answer.Code == proto.RespGoAway:
		line.close()
	default:
		return answer
	}
	m.at = m.random.IntN(len(peers))
	if leader := m.g.c.leader(); m.g.c.stopped && leader >= 0 {
		// How long brokers search is not what the liveness phase is about.
		m.at = leader
	}
	return nil
}

// names are the fields that every request has.
func (m *replica) names() map[string]string {
	return map[string]string{"clusterName": "c", "brokerName": m.g.name}
}

// with adds fields.
func (m *replica) with(pairs ...any) map[string]string {
	fields := m.names()
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i].(string)] = fmt.Sprint(pairs[i+1])
	}
	return fields
}

// getID applies for an id until it has one.
func (m *replica) getID(line *rawClient) {
	if m.applied == 0 {
		answer := m.ask(line, proto.ReqControllerGetNextBrokerID, m.names(), nil)
		if answer == nil || answer.Code != proto.RespSuccess {
			return
		}
		m.applied = answer.number("nextBrokerId")
	}
	answer := m.ask(line, proto.ReqControllerApplyBrokerID, m.with("appliedBrokerId", m.applied, "registerCheckCode", m.checkCode), nil)
	switch {
	case answer == nil:
	case answer.Code == proto.RespSuccess:
		m.g.took(m.applied, m.checkCode)
		m.id, m.applied = m.applied, 0
	case answer.Code == proto.RespControllerBrokerIDInvalid:
		m.applied = 0
	}
}

func (m *replica) register(line *rawClient) {
	call := m.g.c.kernel.Now()
	answer := m.ask(line, proto.ReqControllerRegisterBroker, m.with("brokerId", m.id, "brokerAddress", m.address(), "invokeTime", 0, "gantryHaAddress", m.machine.Address().String()+":10912",
		"gantryIncarnation", m.incarnation, "gantryWhole", m.wholeNow, "gantryEpoch", m.lastEpoch(), "gantryLogEnd", m.logEnd(), "gantryTimeoutMillis", m.g.timeout.Milliseconds()), nil)
	switch {
	case answer == nil:
	case answer.Code == proto.RespSuccess:
		m.registered = true
		if view := m.take(answer, call, "register"); !m.wholeNow && !view.contains(m.id) {
			m.g.c.kernel.Mark("who was not whole left the set")
		}
		// What it has now is all that it promises from here on.
		m.wholeNow, m.told = true, len(m.log)
	case answer.Code == proto.RespControllerBrokerNeedToBeRegistered:
		m.forgotten()
	}
}

// forgotten is a broker whose id tools have cleaned: it comes as a new one.
func (m *replica) forgotten() {
	m.id, m.registered = 0, false
	m.checkCode += "+"
}

// take reads what an answer says of the group.
func (m *replica) take(answer *rawAnswer, call env.Instant, deed string) seenView {
	view := answer.view()
	m.g.saw(linearizability.GroupOperation{Client: m.machineNumber(), Call: int64(call), Return: int64(m.g.c.kernel.Now()), View: view, Deed: deed})
	if view.SetEpoch >= m.view.SetEpoch {
		m.view = view
	}
	return seenView(view)
}

// seenView is a view that was seen.
type seenView linearizability.GroupView

func (v seenView) contains(id int64) bool {
	for _, other := range v.InSync {
		if other == id {
			return true
		}
	}
	return false
}

func (m *replica) machineNumber() int { return m.number + 10 }

// beat sends a heartbeat, and takes the lease that the answer grants.
func (m *replica) beat(line *rawClient) {
	sent, boot := m.g.c.kernel.Now(), m.incarnation
	fields := m.with("brokerAddr", m.address(), "brokerId", m.id, "epoch", m.lastEpoch(), "maxOffset", m.logEnd(), "confirmOffset", 0, "electionPriority", m.number,
		"gantryIncarnation", m.incarnation, "gantrySentAt", int64(sent))
	if m.g.timeout > 0 {
		fields["heartbeatTimeoutMills"] = strconv.FormatInt(m.g.timeout.Milliseconds(), 10)
	}
	answer := m.ask(line, proto.ReqBrokerHeartbeat, fields, nil)
	switch {
	case answer == nil:
		return
	case answer.Code == proto.RespControllerBrokerNeedToBeRegistered:
		m.registered = false
		return
	case answer.Code != proto.RespSuccess:
		m.g.c.failSafety("a heartbeat of %s was answered with %s", m, answer)
		return
	}
	view := m.take(answer, sent, "heartbeat")
	m.hold(linearizability.GroupView(view), sent, boot, time.Duration(answer.number("gantryTimeoutMillis"))*time.Millisecond)
}

// hold takes a lease over, or gives it up.
func (m *replica) hold(view linearizability.GroupView, sent env.Instant, boot int64, timeout time.Duration) {
	now := m.g.c.kernel.Now()
	until := sent.Add(timeout)
	switch {
	case view.Master != m.id:
		m.mine = nil
		m.g.giveUp(m)
	case sent < m.gaveUpAt:
	case timeout == 0:
		m.g.c.kernel.Mark("no lease while an election is under way")
	case until > now:
		if timeout > 1500*time.Millisecond {
			m.g.c.kernel.Mark("a longer lease was granted")
		}
		m.mine = &lease{holder: m, boot: boot, epoch: view.Epoch, until: until}
		m.g.grant(m.mine)
	}
}

// number is a field of an answer; 0 if it is not there.
func (a *rawAnswer) number(field string) int64 {
	n, _ := strconv.ParseInt(a.Fields[field], 10, 64)
	return n
}

// view is what an answer of a controller says of a group.
func (a *rawAnswer) view() linearizability.GroupView {
	var set struct {
		SyncStateSet      []int64 `json:"syncStateSet"`
		SyncStateSetEpoch *int32  `json:"syncStateSetEpoch"`
	}
	// The other members of some bodies have keys that are not JSON by the book.
	if err := json.Unmarshal(a.strictBody(), &set); err != nil {
		panic(fmt.Sprintf("the body %q of an answer cannot be read: %v", a.body, err))
	}
	v := linearizability.GroupView{
		Master: a.number("masterBrokerId"), Epoch: int32(a.number("masterEpoch")), SetEpoch: int32(a.number("syncStateSetEpoch")), InSync: set.SyncStateSet,
	}
	if set.SyncStateSetEpoch != nil {
		v.SetEpoch = *set.SyncStateSetEpoch
	}
	if len(v.InSync) == 0 {
		v.InSync = nil
	}
	return v
}

func (a *rawAnswer) strictBody() []byte {
	strict, err := proto.Strict(a.body)
	if err != nil {
		panic(fmt.Sprintf("the body %q of an answer cannot be read: %v", a.body, err))
	}
	return strict
}
