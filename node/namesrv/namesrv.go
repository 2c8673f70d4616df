package namesrv

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/node/measure"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// lockPath keeps two name servers from sharing a directory: each would overwrite what the other
// keeps.
const lockPath = "namesrv.lock"

// Server is a name server (class NamesrvController). All methods need the baton of its node;
// Start and Close wait, the others do not.
type Server struct {
	env       env.Env
	options   Options
	settings  Settings // in force; those of options and then what was changed while running
	stored    proto.ConfigText
	table     *table
	kv        *kvConfig
	server    *transport.Server
	client    *transport.Client // sends notices to brokers
	listener  env.Listener      // nil until Start
	lock      env.Lock
	tasks     *env.Group
	wake      env.Cond // settings changed, or closing began
	startedAt env.Instant
	closing   bool
	counts    Counts
	calls     *measure.Calls // requests, for monitoring
	// configuring is held while settings are changed.
	configuring *env.Semaphore
	guard       *guard.Guard
}

// Errors of the life of a Server.
var (
	// ErrInUse: another name server uses the same directory.
	ErrInUse = errors.New("the directory is in use by another name server: give each its own")
	// ErrStarted: Start was called before, or Close was.
	ErrStarted = errors.New("a name server is started once")
)

// New returns a name server that does nothing yet. The error is ErrOption.
func New(e env.Env, options Options) (*Server, error) {
	options, err := options.Validate()
	if err != nil {
		return nil, err
	}
	s := &Server{
		env: e, options: options, settings: options.Settings,
		table:       newTable(options.Limits),
		kv:          newKVConfig(e, options.KVConfigPath, options.Limits),
		client:      transport.NewClient(e, transport.ClientOptions{Limits: options.Connections, DialTimeout: noticeTimeout, Signer: innerSigner(options)}),
		tasks:       env.NewGroup(e.Tasks),
		wake:        e.Tasks.NewCond(),
		calls:       measure.NewCalls(measure.CallScale),
		configuring: env.NewSemaphore(e.Tasks, 1),
	}
	if err := s.newGuard(); err != nil {
		return nil, err
	}
	s.server = transport.NewServer(e, transport.ServerOptions{
		Handler: transport.HandlerFunc(s.serve), Limits: options.Connections,
		IdleTimeout: options.IdleTimeout, OnClose: s.connectionClosed, Answered: s.answered,
	})
	return s, nil
}

// Start loads what is kept on the disk, opens the port and returns once requests are served. It waits for
// the disk. After an error the Server is of no more use.
func (s *Server) Start() error {
	if s.startedAt != 0 || s.closing {
		return ErrStarted
	}
	s.startedAt = s.env.Clock.Now()
	if err := s.open(); err != nil {
		s.closing = true
		s.unlock()
		return fmt.Errorf("start of name server %s: %w", s.options.Listen, err)
	}
	s.tasks.Go("watch brokers", s.watch)
	s.guard.Start(s.tasks)
	s.env.Log.Info("name server started", zap.Stringer("status", s.Status()))
	return nil
}

func (s *Server) open() error {
	lock, err := s.env.Disk.Lock(lockPath)
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
	if err := s.kv.load(); err != nil {
		return err
	}
	s.loadWiped()
	if err := s.guard.Load(); err != nil {
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

// Close stops the name server in order: clients that understand it are sent elsewhere, requests under way
// get Options.ShutdownGrace to end. It returns when all tasks have ended.
func (s *Server) Close() {
	if s.closing {
		return
	}
	s.closing = true
	s.wake.Broadcast()
	s.guard.Close()
	s.server.Shutdown(s.options.ShutdownGrace)
	s.client.Close()
	s.tasks.Wait()
	s.unlock()
	s.env.Log.Info("name server stopped")
}
