package broker

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/replica"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// copies serves the copies of a master: its replication port, and what follows from their reports (classes DefaultHAService and GroupTransferService).
type copies struct {
	broker    *Broker
	listener  env.Listener
	port      uint16
	quorum    *replica.Quorum // of a configured master that waits for copies, or nil
	leader    *replica.Leader // of an elected master, or nil
	list      []*classicCopy  // connected, in the order in which they came
	elected   []*electedCopy  // the same, of an elected master
	fresh     []env.Conn      // of which nothing was read yet
	over      bool            // nobody waits for copies any more
	abandoned bool            // and who did has waited in vain
	lastID    uint64
	refused   int64  // reports that did not count, because they could not be
	why       string // the last one of them
	growth    growth // of the log: when it was how long
	timers    coveredAnswer
	delays    coveredAnswer
	wake      env.Cond
	tasks     *env.Group
	closing   bool
}

// ErrReplicationListen: the replication port could not be opened. It is wrapped with the address and the cause.
var ErrReplicationListen = errors.New("the replication port (haListenPort) cannot be opened")

func newCopies(b *Broker) *copies {
	return &copies{broker: b, wake: b.env.Tasks.NewCond(), tasks: env.NewGroup(b.env.Tasks)}
}

// waits reports whether a master acknowledges only what copies have.
func (o *Options) waits() bool { return o.Role == SyncMaster || o.Role == ElectedMaster }

// replicated reports whether a broker shows only what others say is at enough copies. What a slave has, two copies have; if its group promises more, its
// master tells how many messages have them.
func (o *Options) replicated() bool {
	return o.waits() || o.Role == ElectedCopy || o.Role == Slave && o.Replication.InSync > 2
}

// start opens the port, if there is to be one.
func (c *copies) start() error {
	b := c.broker
	switch b.options.Role {
	case ElectedMaster:
		if err := c.beginEpoch(); err != nil {
			return err
		}
	case SyncMaster:
		c.quorum = replica.NewQuorum(b.options.Replication.InSync, b.store.Confirmed())
		c.moved()
		c.tasks.Go("count copies", c.adaptLoop)
	}
	if b.options.Replication.Listen == "" {
		return nil
	}
	listener, err := b.env.Network.Listen(b.options.Replication.Listen)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrReplicationListen, err)
	}
	c.listener, c.port = listener, listener.Addr().Port()
	c.tasks.Go("accept copies", c.accept)
	return nil
}

// address is what slaves are told, "" without a port.
func (c *copies) address() string {
	if c.port == 0 {
		return ""
	}
	o := &c.broker.options
	ip := o.Replication.AdvertisedIP
	if !ip.IsValid() {
		ip = o.AdvertisedIP
	}
	return netip.AddrPortFrom(ip, c.port).String()
}

// acceptAgainAfter is the pause after a connection could not be accepted.
const acceptAgainAfter = 100 * time.Millisecond

func (c *copies) accept() {
	for !c.closing {
		conn, err := c.listener.Accept()
		switch {
		case errors.Is(err, env.ErrConnClosed):
			return
		case err != nil:
			c.broker.env.Log.Warn("a copy could not connect", zap.Error(err))
			c.broker.env.Tasks.Sleep(acceptAgainAfter)
		default:
			c.fresh = append(c.fresh, conn)
			c.tasks.Go("serve a copy", func() { c.greet(conn) })
		}
	}
}

// greet reads how a connection begins, which tells who speaks.
func (c *copies) greet(conn env.Conn) {
	defer c.settle(conn)
	begun, err := c.firstBytes(conn)
	elected := len(begun) >= len(replica.Magic) && [len(replica.Magic)]byte(begun[:len(replica.Magic)]) == replica.Magic
	switch {
	case err != nil || c.closing:
	case elected && c.leader != nil:
		newElectedCopy(c, conn, begun[len(replica.Magic):]).serve()
		return
	case elected || c.leader != nil:
		c.refuse(conn.Remote(), errors.New("of the group, either all brokers have enableControllerMode=true or none: correct it, and start this copy again"))
	default:
		c.settle(conn)
		c.lastID++
		copy := newClassicCopy(c, conn, c.lastID)
		c.list = append(c.list, copy)
		copy.serve(begun)
		return
	}
	if err := conn.Close(); err != nil {
		c.broker.env.Log.Debug("closing the connection of a copy", zap.Error(err))
	}
}

// settle is for a connection that somebody else ends from now on, or that has ended.
func (c *copies) settle(conn env.Conn) {
	c.fresh = slices.DeleteFunc(c.fresh, func(other env.Conn) bool { return other == conn })
}

// firstBytes waits for as many bytes as tell the two protocols apart.
func (c *copies) firstBytes(conn env.Conn) ([]byte, error) {
	p := make([]byte, 0, 64*len(replica.Magic))
	conn.SetReadDeadline(c.broker.env.Clock.Now().Add(c.broker.options.Replication.SilenceMax))
	for len(p) < len(replica.Magic) {
		n, err := conn.Read(p[len(p):cap(p)], nil)
		if err != nil {
			return nil, err
		}
		p = p[:len(p)+n]
	}
	return p, nil
}

// moved is told when the log has grown.
func (c *copies) moved() {
	if c.broker.store == nil {
		return
	}
	c.grew()
	switch {
	case c.leader != nil:
		c.leader.Own(c.own(), c.broker.env.Clock.Now())
	case c.quorum != nil:
		c.quorum.Own(c.broker.store.Durable())
	}
	c.confirm()
}

// own is how far the master's own copy is.
func (c *copies) own() replica.Position {
	s := c.broker.store
	return replica.Position{End: s.Written(), Flushed: s.Flushed(), Table: c.broker.shared.number}
}

// grew notes how long the log is now, while somebody copies it.
func (c *copies) grew() {
	if len(c.list)+len(c.elected) > 0 {
		c.growth.note(c.broker.env.Clock.Now(), c.reportedEnd(), c.leastAcked())
	}
}

// leastAcked is up to where all connected copies have the log; its end without any.
func (c *copies) leastAcked() message.LogOffset {
	least := c.reportedEnd()
	for _, copy := range c.list {
		least = min(least, copy.acked)
	}
	for _, copy := range c.elected {
		least = min(least, copy.acked)
	}
	return least
}

// confirm shows what enough copies have.
func (c *copies) confirm() {
	s := c.broker.store
	switch {
	case c.leader != nil:
		before := s.Confirmed()
		s.Allow(c.leader.Confirmed())
		c.broker.shared.moved.Broadcast()
		if s.Confirmed() > before {
			for _, e := range c.elected {
				e.feed.Wake()
			}
		}
	case c.quorum != nil:
		s.Allow(c.quorum.Confirmed())
	}
}

// adaptEvery is how often a master looks how many copies keep up.
const adaptEvery = 200 * time.Millisecond

// adaptLoop lets fewer copies do where the settings allow that, and more as soon as there are.
func (c *copies) adaptLoop() {
	o := &c.broker.options.Replication
	for o.AutoInSync && !c.closing {
		c.quorum.Need(max(o.MinInSync, min(o.InSync, c.inSync())))
		c.confirm()
		c.wake.WaitUntil(c.broker.env.Clock.Now().Add(adaptEvery))
	}
}

// inSync counts the copies that keep up, the master's own included.
func (c *copies) inSync() int {
	if c.quorum == nil {
		return 1
	}
	return c.quorum.InSync(c.broker.store.Durable(), c.broker.options.Replication.GapMax)
}

// enough says why no message can be taken, or nil: then as many copies keep up as the settings ask for.
func (c *copies) enough() error {
	if c.leader != nil {
		return c.leader.Enough()
	}
	least := c.broker.options.Replication.MinInSync
	if c.quorum == nil || least < 2 {
		return nil
	}
	if n := c.inSync(); n < least {
		return fmt.Errorf("minInSyncReplicas wants %d copies that keep up, and there are %d, the own one included: start the slaves of %s, or send to another broker", least, n, c.broker.options.Name)
	}
	return nil
}

// late is for how long messages that are durable here have waited for copies, if that is longer than senders wait; otherwise 0.
func (c *copies) late() time.Duration {
	s := c.broker.store
	if c.quorum == nil && c.leader == nil || s.Confirmed() >= s.Durable() {
		return 0
	}
	if oldest := s.Backlog().Oldest; oldest > c.broker.options.Store.ReplicaTimeout {
		return oldest
	}
	return 0
}

// refuse notes that a copy was sent away.
func (c *copies) refuse(who netip.AddrPort, why error) {
	c.refused++
	c.why = why.Error()
	c.broker.env.Log.Error("a copy is refused, and does not count", zap.Stringer("address", who), zap.Error(why))
}

// left forgets a connection that has ended.
func (c *copies) left(copy *classicCopy) {
	c.list = slices.DeleteFunc(c.list, func(other *classicCopy) bool { return other == copy })
	if len(c.list) == 0 {
		c.growth = growth{}
	}
	if c.quorum != nil {
		c.quorum.Leave(copy.machine, copy.id)
	}
}

// abandon is for a master that is one no more, perhaps: what waits for copies waits in vain, and is told so.
func (c *copies) abandon() {
	if c.quorum == nil && c.leader == nil {
		return
	}
	c.abandoned = true
	c.broker.shared.moved.Broadcast()
	c.broker.store.GiveUp()
}

// patience is how long requests under way may wait for copies of what they have written: some have no time-out, as it must be known what became of that.
type patience struct {
	tasks *env.Group
	ended bool
	over  env.Cond
}

// patience abandons what waits for copies after some time.
func (c *copies) patience(time time.Duration) *patience {
	e := c.broker.env
	p := &patience{tasks: env.NewGroup(e.Tasks), over: e.Tasks.NewCond()}
	deadline := e.Clock.Now().Add(time)
	p.tasks.Go("wait for copies", func() {
		for !p.ended && p.over.WaitUntil(deadline) {
		}
		if !p.ended {
			c.abandon()
		}
	})
	return p
}

func (p *patience) end() {
	p.ended = true
	p.over.Broadcast()
	p.tasks.Wait()
}

// drain waits a little for the copies to have everything, and then gives up: nobody waits for them any more.
func (c *copies) drain() {
	defer func() { c.over = true; c.broker.shared.moved.Broadcast() }()
	if c.quorum == nil && c.leader == nil {
		return
	}
	s, deadline := c.broker.store, c.broker.env.Clock.Now().Add(c.broker.options.ShutdownGrace)
	s.Kick()
	if c.abandoned {
		deadline = c.broker.env.Clock.Now()
	}
	for s.Confirmed() < s.End() && !deadline.Reached(c.broker.env.Clock.Now()) && s.Fenced() == nil {
		c.wake.WaitUntil(c.broker.env.Clock.Now().Add(drainStep))
	}
	s.GiveUp()
}

const drainStep = 10 * time.Millisecond

// close ends all connections.
func (c *copies) close() error {
	c.closing = true
	c.wake.Broadcast()
	var err error
	if c.listener != nil {
		err = c.listener.Close()
	}
	for _, conn := range c.fresh {
		err = errors.Join(err, conn.Close())
	}
	for _, copy := range slices.Clone(c.list) {
		copy.end(nil)
	}
	for _, copy := range slices.Clone(c.elected) {
		copy.end(nil)
	}
	c.tasks.Wait()
	return err
}

// reportedEnd is up to where a copy may be: it was sent no more.
func (c *copies) reportedEnd() message.LogOffset {
	if c.broker.store.AsyncFlush() {
		return c.broker.store.Written()
	}
	return c.broker.store.Flushed()
}
