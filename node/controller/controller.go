package controller

import (
	"errors"
	"fmt"
	"net/netip"
	"path"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/node/measure"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// Server is a controller (class ControllerManager). All methods need the baton of its node; Start and Close wait, the others do not.
type Server struct {
	env         env.Env
	options     Options
	settings    Settings // in force; those of options and then what was changed while running
	stored      proto.ConfigText
	state       *state
	consensus   *consensus
	server      *transport.Server
	client      *transport.Client // to the other controllers, and notices to brokers
	listener    env.Listener      // nil until Start
	lock        env.Lock
	tasks       *env.Group
	wake        env.Cond // closing began
	startedAt   env.Instant
	closing     bool
	counts      Counts
	refusedLast map[string]string // why messages of other controllers were refused last, by their ids
	calls       *measure.Calls    // requests, for monitoring
	// configuring is held while settings are changed.
	configuring *env.Semaphore
	guard       *guard.Guard
	longer      map[longerLease]bool // members for which a longer lease is proposed
}

// Errors of the life of a Server.
var (
	// ErrInUse: another controller uses the same directory.
	ErrInUse = errors.New("the directory is in use by another controller: give each its own")
	// ErrStarted: Start was called before, or Close was.
	ErrStarted = errors.New("a controller is started once")
)

// New returns a controller that does nothing yet. The error is ErrOption.
func New(e env.Env, options Options) (*Server, error) {
	options, err := options.Validate()
	if err != nil {
		return nil, err
	}
	s := &Server{
		env: e, options: options, settings: options.Settings, state: newState(),
		client: transport.NewClient(e, transport.ClientOptions{
			Limits: options.Connections, DialTimeout: options.Election, Signer: innerSigner(options),
		}),
		tasks:       env.NewGroup(e.Tasks),
		wake:        e.Tasks.NewCond(),
		calls:       measure.NewCalls(measure.CallScale),
		configuring: env.NewSemaphore(e.Tasks, 1),
		longer:      map[longerLease]bool{},
		refusedLast: map[string]string{},
	}
	if err := s.newGuard(); err != nil {
		return nil, err
	}
	s.consensus = s.newConsensus()
	s.server = transport.NewServer(e, transport.ServerOptions{
		Handler: transport.HandlerFunc(s.serve), Limits: options.Connections,
		IdleTimeout: options.IdleTimeout, Answered: s.answered,
	})
	return s, nil
}

func (s *Server) newConsensus() *consensus {
	c := &consensus{
		env: s.env, options: &s.options, random: s.env.Rand.Stream("elections of controllers"),
		work: s.env.Tasks.NewCond(), clock: s.env.Tasks.NewCond(), pending: map[uint64]*proposal{},
		apply: s.apply, restore: s.restore, capture: func() []byte { return s.state.marshal() },
	}
	for i, p := range s.options.Peers {
		var l *link
		if p.ID != s.options.Self {
			l = &link{peer: p, number: voterID(i), client: s.client, queue: env.NewQueue[*letter](s.env.Tasks, lettersMax)}
		}
		c.peers = append(c.peers, l)
	}
	return c
}

// Start reads what is on the disk, opens the port and returns once requests are answered; whether this controller leads is decided later, with
// the others. It waits for the disk. After an error the Server is of no more use.
func (s *Server) Start() error {
	if s.startedAt != 0 || s.closing {
		return ErrStarted
	}
	s.startedAt = s.env.Clock.Now()
	if err := s.open(); err != nil {
		s.closing = true
		s.consensus.close()
		s.guard.Close()
		s.server.Close()
		s.client.Close()
		s.tasks.Wait()
		// Nothing was promised.
		_ = s.consensus.journal.close()
		s.unlock()
		return fmt.Errorf("start of controller %s: %w", s.options.Self, err)
	}
	s.tasks.Go("watch groups", s.watchGroups)
	s.guard.Start(s.tasks)
	s.env.Log.Info("controller started", zap.Stringer("status", s.Status()))
	return nil
}

func (s *Server) open() error {
	// Before anything is read: another process may be changing it.
	lock, err := s.env.Disk.Lock(path.Join(s.options.Directory, "lock"))
	if errors.Is(err, env.ErrLocked) {
		return fmt.Errorf("%w: %w", ErrInUse, err)
	}
	if err != nil {
		return err
	}
	s.lock = lock
	if err := s.loadConfig(); err != nil {
		return err
	}
	if err := s.guard.Load(); err != nil {
		return err
	}
	if err := s.consensus.start(s.tasks); err != nil {
		return err
	}
	s.listener, err = s.server.Listen(s.options.Listen)
	return err
}

func (s *Server) unlock() {
	if s.lock == nil {
		return
	}
	if err := s.lock.Unlock(); err != nil {
		s.env.Log.Warn("the lock of the directory could not be released", zap.Error(err))
	}
	s.lock = nil
}

// Addr is the address it listens on, with the real port. It is the zero AddrPort before Start.
func (s *Server) Addr() netip.AddrPort {
	if s.listener == nil {
		return netip.AddrPort{}
	}
	return s.listener.Addr()
}

// Close stops the controller in order: if it leads, another one is asked to; requests under way get Options.ShutdownGrace to end. It
// returns when all tasks have ended but dials, which may take Options.Election longer and change nothing.
func (s *Server) Close() {
	if s.closing {
		return
	}
	if s.listener != nil {
		s.consensus.handOver()
	}
	s.closing = true
	s.wake.Broadcast()
	s.consensus.close()
	s.guard.Close()
	s.server.Shutdown(s.options.ShutdownGrace)
	s.client.Close()
	s.tasks.Wait()
	if err := s.consensus.journal.close(); err != nil {
		s.env.Log.Warn("the log could not be closed", zap.Error(err))
	}
	s.unlock()
	s.env.Log.Info("controller stopped")
}

// Failed is why the controller has stopped for good although it was not closed, or nil: its disk has failed. It answers requests by
// saying that it does not lead.
func (s *Server) Failed() error { return s.consensus.failure }
