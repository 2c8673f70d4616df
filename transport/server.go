package transport

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// ServerOptions describe a server. Only Handler is required.
type ServerOptions struct {
	Handler Handler
	Limits  Limits
	// IdleTimeout ends connections without traffic in either direction; 0 means 120 s.
	IdleTimeout time.Duration
	// ConnectionsMax refuses further connections; 0 means 65536.
	ConnectionsMax int
	// OnOpen and OnClose tell of connections. They must not wait.
	OnOpen  func(*Conn)
	OnClose func(*Conn)
	// AfterBurst runs after the requests that one read brought were handled, and before
	// their answers are written: the place to carry out gathered work. Where the answers are many bytes it runs
	// several times.
	AfterBurst func()
	// Answered is told of each request that was answered. It must not wait.
	Answered func(Answered)
}

// Answered is a request and what became of it.
type Answered struct {
	Request, Response int32         // codes
	Took              time.Duration // since the burst in which it came was read
	Held              bool          // see Reply.Held
	Oneway            bool          // nobody wanted the answer
	Gone              bool          // the connection had ended
}

// String shows the codes and the time.
func (a Answered) String() string {
	return fmt.Sprintf("%s answered %s after %s", proto.RequestName(a.Request), proto.ResponseName(a.Response), a.Took)
}

// Server accepts connections and serves their requests.
type Server struct {
	env       env.Env
	options   ServerOptions
	listeners []env.Listener
	conns     []*Conn // in order of their IDs
	lastID    uint64
	tasks     *env.Group
	closing   bool
	changed   env.Cond // a connection ended, or closing began
	refused   int64
}

// Refused counts requests that the handler did not see, because too many of their connection waited for an answer (SYSTEM_BUSY), or the
// server was about to close (GO_AWAY).
func (s *Server) Refused() int64 { return s.refused }

func (s *Server) countRefused() { s.refused++ }

// Unanswered is how many requests of all connections wait for an answer.
func (s *Server) Unanswered() (requests int) {
	for _, c := range s.conns {
		requests += c.unanswered
	}
	return requests
}

// Open is how many connections there are.
func (s *Server) Open() int { return len(s.conns) }

// NewServer returns a server that does not listen yet.
func NewServer(e env.Env, options ServerOptions) *Server {
	if options.IdleTimeout <= 0 {
		options.IdleTimeout = 120 * time.Second
	}
	if options.ConnectionsMax <= 0 {
		options.ConnectionsMax = 65_536
	}
	options.Limits = options.Limits.withDefaults()
	return &Server{env: e, options: options, tasks: env.NewGroup(e.Tasks), changed: e.Tasks.NewCond()}
}

// Listen opens a port and serves it by tasks of its own until Close.
func (s *Server) Listen(address string) (env.Listener, error) {
	if s.closing {
		return nil, fmt.Errorf("listen %s: this server is closed", address)
	}
	l, err := s.env.Network.Listen(address)
	if err != nil {
		return nil, err
	}
	if len(s.listeners) == 0 {
		s.tasks.Go("close idle connections", s.closeIdle)
	}
	s.listeners = append(s.listeners, l)
	s.tasks.Go("accept "+l.Addr().String(), func() { s.accept(l) })
	return l, nil
}

// Conns lists the open connections in the order they came. The list stays as it is when one of them ends.
func (s *Server) Conns() []*Conn { return slices.Clone(s.conns) }

func (s *Server) accept(l env.Listener) {
	for !s.closing {
		raw, err := l.Accept()
		switch {
		case errors.Is(err, env.ErrConnClosed):
			return
		case err != nil:
			// Out of descriptors, for example: others may close theirs.
			s.env.Log.Warn("a connection could not be accepted", zap.Error(err))
			s.env.Tasks.Sleep(50 * time.Millisecond)
		case s.closing || len(s.conns) >= s.options.ConnectionsMax:
			_ = raw.Close()
		default:
			s.serve(raw)
		}
	}
}

func (s *Server) serve(raw env.Conn) {
	s.lastID++
	c := newConn(s.env, s.tasks, raw, s.lastID, raw.Remote().String(), s.options.Limits, s.options.Handler,
		hooks{afterBurst: s.options.AfterBurst, onClose: s.ended, refused: s.countRefused, answered: s.options.Answered})
	s.conns = append(s.conns, c)
	if s.options.OnOpen != nil {
		s.options.OnOpen(c)
	}
	s.tasks.Go("serve "+c.address, c.readLoop)
}

func (s *Server) ended(c *Conn) {
	if i := slices.Index(s.conns, c); i >= 0 {
		s.conns = slices.Delete(s.conns, i, i+1)
	}
	s.env.Log.Debug("connection ended", zap.Stringer("connection", c), zap.Error(c.cause))
	if s.options.OnClose != nil {
		s.options.OnClose(c)
	}
	s.changed.Broadcast()
}

// closeIdle looks at all connections now and then: one task, not a timer for each.
func (s *Server) closeIdle() {
	for !s.closing {
		// Connections that end wake this task, too; it looks at all of them only when it is time.
		for due := s.env.Clock.Now().Add(s.options.IdleTimeout / 8); !s.closing && s.changed.WaitUntil(due); {
		}
		now := s.env.Clock.Now()
		for _, c := range slices.Clone(s.conns) {
			if now.Sub(c.lastActive) > s.options.IdleTimeout {
				c.end(errIdle)
			}
		}
	}
}

var errIdle = errors.New("no traffic for too long")

// Shutdown stops accepting, answers "go away" to new requests of clients that understand it, waits up to
// grace for requests under way, and closes everything. It returns when all its tasks have ended.
func (s *Server) Shutdown(grace time.Duration) {
	s.stopListening()
	for _, c := range s.conns {
		c.goingAway = true
	}
	deadline := s.env.Clock.Now().Add(grace)
	for s.busy() {
		step := s.env.Clock.Now().Add(10 * time.Millisecond).Sooner(deadline)
		s.changed.WaitUntil(step)
		if deadline.Reached(s.env.Clock.Now()) {
			break
		}
	}
	s.Close()
}

// busy reports whether a connection has unanswered requests or unwritten answers.
func (s *Server) busy() bool {
	return slices.ContainsFunc(s.conns, func(c *Conn) bool {
		return c.unanswered > 0 || !c.out.empty() || c.writing
	})
}

func (s *Server) stopListening() {
	s.closing = true
	for _, l := range s.listeners {
		if err := l.Close(); err != nil {
			s.env.Log.Warn("a listener could not be closed", zap.Error(err))
		}
	}
	s.changed.Broadcast()
}

// Close ends everything at once. It returns when all the server's tasks have ended.
func (s *Server) Close() {
	s.stopListening()
	for _, c := range slices.Clone(s.conns) {
		c.Close()
	}
	s.tasks.Wait()
}
