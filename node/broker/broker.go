package broker

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/node/repeat"
	"github.com/gantrymq/gantry/node/replica"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// Broker is one running broker.
type Broker struct {
	env      env.Env
	options  Options
	store    *store.Store
	server   *transport.Server
	outgoing *transport.Client // to name servers
	tasks    *env.Group
	stop     env.Cond
	closing  bool
	address  netip.AddrPort // what clients are told
	fastPort uint16         // 0: there is none
	started  env.Instant
	startAt  env.WallMillis

	topics       *topicTable
	groups       *groupTable
	offsets      *offsetTable
	delays       *delays
	timers       *timers
	transactions *transactions
	pops         *pops
	repeats      *repeats
	locks        *lockTable
	progress     *progressTable
	clients      *clientTable
	filters      *filterTable
	waiting      *waitingPulls
	names        *registrar
	routes       *routeTable
	modes        *requestModeTable
	stats        *statistics
	measures     *measures
	guard        *guard.Guard
	copies       *copies
	slave        *slave // nil: this broker is a master
	epochs       replica.Epochs
	shared       *shared
	leaving      bool  // this master hands over: no more messages are taken
	resigned     bool  // another master was elected: nothing is waited for
	ready        bool  // all that was in the log when a master began is confirmed: it serves
	failed       error // why it never will

	configuring *env.Semaphore // one change of the settings at a time

	// Memory that is used again.
	sendFree   []*sendDone
	pullFree   [][]byte
	pending    []message.Record // of the send being handled
	properties []byte           // of those records
	scratch    []byte           // properties on their way there
	stamp      repeat.Identity  // of the next of those records; its sequence is 0 if they have none

	uniqueCount  uint16
	uniqueLoader uint32
}

// New checks the options and returns a broker that does nothing yet.
func New(e env.Env, options Options) (*Broker, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	options = options.withDefaults()
	b := &Broker{
		env: e, options: options, tasks: env.NewGroup(e.Tasks), stop: e.Tasks.NewCond(),
		outgoing: transport.NewClient(e, transport.ClientOptions{DialTimeout: options.RegisterTimeout, Signer: innerSigner(options)}),
	}
	b.topics = newTopicTable(b)
	b.groups = newGroupTable(b)
	b.offsets = newOffsetTable(b)
	b.clients = newClientTable(b)
	b.filters = newFilterTable(b)
	b.configuring = env.NewSemaphore(e.Tasks, 1)
	b.stats = newStatistics(e.Clock.Now(), b.topics.isSystem)
	b.measures = newMeasures(e.Clock, options.Store.DelayLevels)
	b.waiting = newWaitingPulls(b)
	b.names = newRegistrar(b)
	b.routes = newRouteTable(b)
	b.modes = newRequestModeTable(b)
	b.delays = newDelays(b)
	b.timers = newTimers(b)
	b.transactions = newTransactions(b)
	b.pops = newPops(b)
	b.repeats = newRepeats(b)
	b.locks = newLockTable(b)
	b.progress = newProgressTable(b)
	b.copies, b.shared = newCopies(b), newShared(b)
	if options.Role == Slave || options.Role == ElectedCopy {
		b.slave = newSlave(b)
	}
	if err := b.newGuard(); err != nil {
		return nil, err
	}
	b.options.Store.Arrived = b.arrived
	b.options.Store.Retention = b.topics.retention
	b.options.Store.BatchQueues = b.topics.inBatches
	b.options.Store.Locked = b.loadTables
	b.options.Store.Synced = b.measures.synced
	b.options.Store.Moved = b.logMoved
	b.options.Store.Slave, b.options.Store.Replicated = b.slave != nil, options.replicated()
	b.server = transport.NewServer(e, transport.ServerOptions{
		Handler: transport.HandlerFunc(b.serveEither), Limits: options.Limits,
		OnClose: b.clients.connectionEnded, AfterBurst: b.kick, Answered: b.measures.answered,
	})
	return b, nil
}

// arrived is told of each message that consumers may see now.
func (b *Broker) arrived(key store.QueueKey, offset message.QueueOffset, tagHash int64) {
	switch key.Topic {
	case proto.DelayTopic:
		b.delays.arrived()
	case proto.TimerTopic:
		b.timers.arrived()
	case proto.HalfTopic:
		b.transactions.arrived()
	}
	b.waiting.arrived(key, offset, tagHash)
	b.pops.held.arrived(key.Topic)
}

// kick writes what the burst's sends have appended.
func (b *Broker) kick() {
	if b.store != nil {
		b.store.Kick()
	}
}

// Start opens the store, recovers it, opens the ports and registers with the name
// servers. It waits for the disk.
func (b *Broker) Start() error {
	b.started, b.startAt = b.env.Clock.Now(), b.env.Clock.Wall()
	if err := b.refuseMember(); err != nil {
		return err
	}
	opened, err := store.Open(b.env, b.options.Store)
	if err != nil {
		return err
	}
	b.store = opened
	if b.options.Election != nil {
		if err := b.loadEpochs(); err != nil {
			return errors.Join(err, b.store.Close())
		}
	}
	if b.slave != nil {
		return b.startSlave()
	}
	// What is written before it listens says no port.
	b.address = netip.AddrPortFrom(b.options.AdvertisedIP, 0)
	if err := b.load(); err != nil {
		return errors.Join(err, b.offsets.abandon(), b.store.Close())
	}
	if !b.options.Store.Replicated {
		if err := b.takeUp(); err != nil {
			return errors.Join(err, b.offsets.abandon(), b.store.Close())
		}
	}
	if err := b.store.HideExpired(); err != nil {
		b.env.Log.Error("messages beyond the limits of their topics are shown until they can be read", zap.Error(err))
	}
	b.holdTimers()
	err = b.copies.start()
	if err == nil {
		err = b.listen()
	}
	if err != nil {
		b.closing = true
		b.stop.Broadcast()
		return errors.Join(err, b.copies.close(), b.leaveOff(), b.store.Close())
	}
	if b.ready {
		b.startServices()
	}
	b.tasks.Go("expire clients", b.clients.expireLoop)
	b.guard.Start(b.tasks)
	b.waiting.start()
	if !b.ready {
		b.tasks.Go("wait for copies", b.awaitCopies)
	}
	b.names.start()
	b.env.Log.Info("broker serves", zap.Stringer("address", b.address), zap.Stringer("store", b.store))
	return nil
}

// startSlave starts a broker that takes the log and the tables of its master. What is done with messages in the log is the master's business.
func (b *Broker) startSlave() error {
	b.address = netip.AddrPortFrom(b.options.AdvertisedIP, 0)
	err := b.loadCopies()
	if err == nil {
		err = b.guard.Load()
	}
	if err != nil {
		return errors.Join(err, b.store.Close())
	}
	if err := b.store.HideExpired(); err != nil {
		b.env.Log.Error("messages beyond the limits of their topics are shown until they can be read", zap.Error(err))
	}
	if err := b.listen(); err != nil {
		b.closing = true
		b.stop.Broadcast()
		return errors.Join(err, b.store.Close())
	}
	b.tasks.Go("expire clients", b.clients.expireLoop)
	b.guard.Start(b.tasks)
	b.waiting.start()
	b.names.start()
	b.slave.start()
	b.env.Log.Info("broker serves as a slave", zap.Stringer("address", b.address), zap.Stringer("store", b.store))
	return nil
}

// logMoved is told when the log has grown.
func (b *Broker) logMoved() {
	if b.slave != nil {
		b.slave.moved()
		return
	}
	b.copies.moved()
}

// loadTables reads the tables of topics and groups, as soon as nobody else can change them: the store asks for topics while it
// recovers.
func (b *Broker) loadTables() error {
	// What is read here must be what the next restart reads, also after a loss of power: a rename of the last run may not be durable.
	if err := b.env.Disk.SyncDir(configDir); err != nil && !errors.Is(err, env.ErrNotExist) {
		return err
	}
	if err := b.topics.load(); err != nil {
		return err
	}
	return b.groups.load()
}

// load reads what else outlives a restart.
func (b *Broker) load() error {
	if err := b.offsets.load(); err != nil {
		return err
	}
	if err := b.locks.load(); err != nil {
		return err
	}
	if err := b.progress.load(); err != nil {
		return err
	}
	if err := b.modes.load(); err != nil {
		return err
	}
	b.delays.admitQueues(b.store.Queues())
	if err := b.delays.load(); err != nil {
		return err
	}
	if err := b.guard.Load(); err != nil {
		return err
	}
	return b.topics.adopt(b.store.Queues())
}

// Address is what clients are told.
func (b *Broker) Address() netip.AddrPort { return b.address }

// Store is the broker's message store, for oracles and tools.
func (b *Broker) Store() *store.Store { return b.store }

// resign is Close for a broker whose role is over: it waits for nobody, and stays in the routes until its successor says otherwise.
func (b *Broker) resign() error {
	b.resigned, b.options.ShutdownGrace = true, resignGrace
	return b.Close()
}

// resignGrace is how long requests may still take that have come. None of them waits for copies.
const resignGrace = 100 * time.Millisecond

// Close stops a broker that Start has started, in order: leave the name servers, let requests under way end, save
// everything, close the store. It returns when all tasks have ended, but for dials that nobody answers (transport.Client.Close). A second call does nothing.
func (b *Broker) Close() error {
	if b.closing {
		return nil
	}
	b.closing = true
	b.stop.Broadcast()
	patience := b.copies.patience(b.options.ShutdownGrace)
	b.guard.Close()
	if b.resigned {
		b.names.stop()
	} else {
		b.names.leave()
	}
	b.waiting.close()
	b.pops.held.close()
	// Who waits for the answer of a name server waits no longer.
	b.outgoing.Close()
	if b.resigned {
		b.copies.abandon()
	}
	b.server.Shutdown(b.options.ShutdownGrace)
	patience.end()
	if b.slave != nil {
		b.slave.close()
		b.tasks.Wait()
		return b.store.Close()
	}
	b.tasks.Wait()
	b.copies.drain()
	if b.ready {
		err := errors.Join(b.delays.close(), b.timers.close(), b.transactions.close(), b.pops.close())
		return errors.Join(err, b.leaveOff(), b.copies.close(), b.store.Close())
	}
	return errors.Join(b.leaveOff(), b.copies.close(), b.store.Close())
}

// String tells who the broker is and how far its log reaches.
func (b *Broker) String() string {
	return fmt.Sprintf("broker %s (%s) at %s, %d topics, %d groups, %v", b.options.Name, b.options.Cluster, b.address, len(b.topics.byName), len(b.groups.byName), b.store)
}
