package broker

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/replica"
	"github.com/gantrymq/gantry/transport"
	"go.uber.org/zap"
)

// Membership are the settings of a broker whose role a controller decides (enableControllerMode). Zero fields take the defaults of DefaultMembership.
type Membership struct {
	Controllers  []string      // controllerAddr: host:port of each controller
	BeatEvery    time.Duration // brokerHeartbeatInterval
	DeadAfter    time.Duration // controllerHeartBeatTimeoutMills: a broker that is silent for so long is taken for dead
	AskTimeout   time.Duration // how long a controller may take to answer
	Priority     int32         // brokerElectionPriority: of two copies that have as much, the one with the smaller number is elected; 0 is that of who has none
	HandOverTime time.Duration // how long a master that is stopped looks for somebody to take its place
}

// DefaultMembership are the settings of a broker called as it stands.
func DefaultMembership() Membership {
	return Membership{
		BeatEvery: 300 * time.Millisecond, DeadAfter: 1500 * time.Millisecond, AskTimeout: 700 * time.Millisecond, HandOverTime: 2 * time.Second,
	}
}

func (m Membership) withDefaults() Membership {
	d := DefaultMembership()
	fill(&m.BeatEvery, d.BeatEvery)
	fill(&m.DeadAfter, d.DeadAfter)
	fill(&m.AskTimeout, d.AskTimeout)
	fill(&m.HandOverTime, d.HandOverTime)
	return m
}

func (m Membership) validate() error {
	switch {
	case len(m.Controllers) == 0:
		return errors.New("controllerAddr: a broker with enableControllerMode=true needs the addresses of controllers")
	case m.BeatEvery*3 > m.DeadAfter:
		return fmt.Errorf("brokerHeartbeatInterval %v: it must be at most a third of controllerHeartBeatTimeoutMills, %v, so that a lost heartbeat does not make this broker dead", m.BeatEvery, m.DeadAfter)
	case m.Priority < 0:
		return fmt.Errorf("brokerElectionPriority %d: want 0 or more", m.Priority)
	}
	return nil
}

// Member is a broker whose role a controller decides (class ReplicasManager): master or copy, for an epoch each. It runs one Broker after the other over
// the same directory and ports, each with one role, and keeps in touch with the controllers meanwhile.
//
// Start returns once the directory is locked and its log is recovered; whether the broker is master then shows later.
type Member struct {
	env             env.Env
	options         Options
	membership      Membership
	lock            env.Lock
	identity        identityFile
	starts          startsFile
	whole           bool // this broker has all that it acknowledged, or the controllers know that it may not
	controllers     *transport.Client
	leader          string         // the controller that has answered as the leader last
	registered      bool           // this start is known to the controllers
	given           netip.AddrPort // the address that the port got, once it is open
	broker          *Broker        // nil while roles change
	shown           *Broker        // the same, or the last one before
	role            assignment     // of broker
	wanted          assignment
	reopen          bool        // the same role once more
	electedSet      replica.Set // in sync, as the controllers have said last
	electedSetEpoch int32
	inSync          replica.Set // of the group, as the controllers have said last, also to a copy
	heardAt         env.Instant // when they did
	unheard         error       // why they have not answered as they should since, or nil
	last            standing
	sentAt          int64       // of the last heartbeat
	discard         int64       // answers to heartbeats that were sent before it do not count as leases
	overAgain       env.Instant // no sooner is a fenced store opened again
	handOverAgain   env.Instant // no sooner does a master with a full disk try again to hand over
	writtenOff      *Broker     // the controllers know that its store is fenced
	trouble         error       // why the broker could not take its role, nil if it has one
	beatNow         env.Cond
	act             env.Cond
	tasks           *env.Group
	closing         bool
	handing         bool
	drained         bool // an operator is about to stop this broker
}

// assignment is a role in an epoch.
type assignment struct {
	master   bool
	epoch    replica.Epoch
	masterHA string
}

// String is one line.
func (a assignment) String() string {
	switch {
	case a.master:
		return fmt.Sprintf("master of epoch %d", a.epoch)
	case a.masterHA == "":
		return fmt.Sprintf("copy without a master since epoch %d", a.epoch)
	}
	return fmt.Sprintf("copy of %s in epoch %d", a.masterHA, a.epoch)
}

// standing is what controllers are told of this broker.
type standing struct {
	epoch     replica.Epoch
	end       int64
	confirmed int64
}

// NewMember checks the options and returns a member that does nothing yet.
func NewMember(e env.Env, options Options) (*Member, error) {
	options = options.withDefaults()
	membership := options.Membership.withDefaults()
	if err := membership.validate(); err != nil {
		return nil, err
	}
	m := &Member{
		env: e, options: options, membership: membership, beatNow: e.Tasks.NewCond(), act: e.Tasks.NewCond(), tasks: env.NewGroup(e.Tasks),
	}
	if _, err := New(e, m.optionsFor(assignment{})); err != nil {
		return nil, err
	}
	m.controllers = transport.NewClient(e, transport.ClientOptions{DialTimeout: membership.AskTimeout, Signer: innerSigner(options)})
	return m, nil
}

// memberLock keeps the directory for one process before it says anything to controllers: a second one would take the role from the first.
const memberLock = "memberLock"

// Start locks the directory, recovers the log, and begins to speak with controllers. It waits for the disk.
func (m *Member) Start() error {
	lock, err := m.env.Disk.Lock(memberLock)
	if err != nil {
		return fmt.Errorf("the directory is used by another broker, or cannot be locked: %w", err)
	}
	m.lock = lock
	if err := m.load(); err != nil {
		return errors.Join(err, lock.Unlock())
	}
	if err := m.become(assignment{}); err != nil {
		return errors.Join(err, lock.Unlock())
	}
	m.tasks.Go("speak with controllers", m.beatLoop)
	m.tasks.Go("change roles", m.actLoop)
	return nil
}

// Broker is the one that runs now, nil while roles change.
func (m *Member) Broker() *Broker { return m.broker }

// ID is the number of this broker within its group, 0 before the controllers have given one.
func (m *Member) ID() int64 { return m.identity.id }

// Address is what clients are told.
func (m *Member) Address() netip.AddrPort { return m.given }

// optionsFor are the settings of a broker with a role.
func (m *Member) optionsFor(a assignment) Options {
	o := m.options
	o.Role, o.ID = ElectedCopy, max(m.identity.id, 1)
	if a.master {
		o.Role, o.ID = ElectedMaster, 0
	}
	if !a.master && a.masterHA == "" {
		// Nobody should look for messages here.
		o.NameServers = nil
	}
	o.Election = &Election{
		ID: replica.BrokerID(max(m.identity.id, 1)), Incarnation: m.starts.count, Epoch: a.epoch, MasterHA: a.masterHA,
		Reopen: m.again, Notified: m.notified, Drain: m.Drain,
		Change: func(want replica.Set, setEpoch int32, confirmed int64, copies []replica.Copy) (replica.Set, int32, error) {
			return m.changeSet(a.epoch, want, setEpoch, confirmed, copies)
		},
	}
	return o
}

// again lets the same role begin once more.
func (m *Member) again() {
	m.reopen = true
	m.act.Signal()
}

// notified is told that a controller has news.
func (m *Member) notified() { m.beatNow.Signal() }

// actLoop changes roles as controllers want it.
func (m *Member) actLoop() {
	for !m.closing {
		if m.wanted == m.role && !m.reopen && m.broker != nil {
			m.act.Wait()
			continue
		}
		m.reopen = false
		if m.trouble = m.become(m.wanted); m.trouble != nil && !m.closing {
			m.env.Log.Error("this broker cannot take its role; it tries again", zap.Stringer("role", m.wanted), zap.Error(m.trouble))
			m.beatNow.Signal()
			m.act.WaitUntil(m.env.Clock.Now().Add(time.Second))
		}
	}
}

// become ends the broker that runs and starts one with a role.
func (m *Member) become(a assignment) error {
	if old := m.broker; old != nil {
		m.note()
		m.broker = nil
		if err := old.resign(); err != nil && old != m.writtenOff {
			if clean, absentErr := absent(m.env.Disk, "abort"); m.starts.async && (!clean || absentErr != nil) && !old.keptLog() {
				m.whole = false // what only memory had may be gone
			}
			return fmt.Errorf("the broker did not close in order: %w", err)
		}
	}
	o := m.optionsFor(a)
	if a.master {
		o.Election.Set, o.Election.SetEpoch = m.electedSet, m.electedSetEpoch
	}
	b, err := New(m.env, o)
	if err != nil {
		return err
	}
	m.env.Log.Info("this broker takes a role", zap.Stringer("role", a))
	if err := b.Start(); err != nil {
		return err
	}
	m.given = b.address
	if m.options.Listen != "" {
		// The next one has the same ports, also if they were any free ones.
		m.keepPorts(b)
	}
	m.broker, m.shown, m.role = b, b, a
	m.note()
	// A master gets its first lease with the answer.
	m.beatNow.Signal()
	return nil
}

// keptLog reports whether all of the log of a broker that has ended is on the medium: it may have ended in disorder for less, on a full disk for one.
func (b *Broker) keptLog() bool {
	return b.store != nil && b.store.Fenced() == nil && b.store.Flushed() >= b.store.Written()
}

// keepPorts lets the brokers to come use the ports of one.
func (m *Member) keepPorts(b *Broker) {
	m.options.Listen = samePort(m.options.Listen, b.address.Port())
	if b.copies.port != 0 {
		m.options.Replication.Listen = samePort(m.options.Replication.Listen, b.copies.port)
	}
}

func samePort(listen string, port uint16) string {
	if host, ok := cutPort(listen); ok {
		return fmt.Sprintf("%s:%d", host, port)
	}
	return listen
}

// note remembers what controllers are to be told.
func (m *Member) note() {
	if b := m.broker; b != nil && b.store != nil {
		m.last = standing{b.epochs.Last(), int64(b.store.Written()), int64(b.store.Confirmed())}
	}
}

// Close lets a master hand over, if it can, stops the broker, and releases the directory.
func (m *Member) Close() error {
	if m.closing {
		return nil
	}
	if _, err := m.handOver(); err != nil {
		m.env.Log.Info("nobody takes this master's place before it stops", zap.Error(err))
	}
	m.closing = true
	m.act.Signal()
	m.beatNow.Signal()
	m.controllers.Close()
	m.tasks.Wait()
	var err error
	if m.broker != nil {
		err = m.broker.Close()
	}
	return errors.Join(err, m.lock.Unlock())
}

// String tells the role.
func (m *Member) String() string {
	return fmt.Sprintf("member %d of %s, %v", m.identity.id, m.options.Name, m.role)
}
