package monitor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/measure"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// Options of a Server.
type Options struct {
	// Listen is host:port; port 0 is any free one.
	Listen string
	// Labels are added to all metrics of nodes (metricsLabel).
	Labels []measure.Label
	// Profiles serves /debug/pprof, by which everybody who reaches the port can slow the process down.
	Profiles bool
	// Version and Revision of the program, for gantry_build_info.
	Version, Revision string
	Log               *zap.Logger // nil drops what it says
}

// Server serves what watches a process.
type Server struct {
	options  Options
	listener net.Listener
	http     *http.Server
	subjects []*Subject
	process  *prometheus.Registry // what the process tells of itself
	done     chan struct{}
}

// Bounds of what a client of this port may cost.
const (
	readTimeout  = 5 * time.Second
	writeTimeout = 2 * time.Minute // a CPU profile takes 30 s unless it is told otherwise
	headersMax   = 16 << 10
)

// New opens the port and serves it. The nodes are about to be started. The error is env.ErrAddressInUse if the
// port is taken.
func New(options Options, nodes ...Node) (*Server, error) {
	if options.Log == nil {
		options.Log = zap.NewNop()
	}
	listener, err := net.Listen("tcp", options.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("metrics: listen %s: %w", options.Listen, env.ErrAddressInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	s := &Server{options: options, listener: listener, process: prometheus.NewRegistry(), done: make(chan struct{})}
	for _, node := range nodes {
		s.subjects = append(s.subjects, newSubject(node))
	}
	s.process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(options))
	s.http = &http.Server{
		Handler: s.routes(), ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, MaxHeaderBytes: headersMax,
		ErrorLog: zap.NewStdLog(options.Log),
	}
	go s.serve()
	return s, nil
}

func buildInfo(options Options) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: buildMetric.Name, Help: buildMetric.Help,
		ConstLabels: prometheus.Labels{"version": options.Version, "revision": options.Revision, "goversion": runtime.Version()},
	})
	info.Set(1)
	return info
}

func (s *Server) serve() {
	defer close(s.done)
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.options.Log.Error("metrics are not served any more", zap.Error(err))
	}
}

// Subject is the node of a name that was given to New; nil if there is none, or s is nil.
func (s *Server) Subject(name string) *Subject {
	if s == nil {
		return nil
	}
	for _, subject := range s.subjects {
		if subject.Name == name {
			return subject
		}
	}
	return nil
}

// Addr is the address it listens on, with the real port.
func (s *Server) Addr() netip.AddrPort {
	return s.listener.Addr().(*net.TCPAddr).AddrPort()
}

// Close ends everything at once. A nil Server is closed.
func (s *Server) Close() error {
	if s == nil {
		return nil
	}
	err := s.http.Close()
	<-s.done
	return err
}

// String tells the address.
func (s *Server) String() string { return "http://" + s.Addr().String() + "/metrics" }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { s.report(w, r, (*Subject).unhealthy) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { s.report(w, r, (*Subject).notReady) })
	mux.HandleFunc("GET /{$}", s.index)
	if s.options.Profiles {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// metrics serves the nodes and the process. If a node does not answer, the rest is served nevertheless: what is missing is a sign, too.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	nodes := prometheus.NewRegistry()
	nodes.MustRegister(&collector{ctx: r.Context(), subjects: s.subjects, more: s.options.Labels})
	log := zap.NewStdLog(s.options.Log)
	promhttp.HandlerFor(prometheus.Gatherers{s.process, nodes}, promhttp.HandlerOpts{ErrorLog: log, ErrorHandling: promhttp.ContinueOnError}).ServeHTTP(w, r)
}

// report answers 200 and "ok", or 503 and a line for each node that has something to say.
func (s *Server) report(w http.ResponseWriter, r *http.Request, ask func(*Subject, context.Context) string) {
	var wrong []string
	for _, subject := range s.subjects {
		if why := ask(subject, r.Context()); why != "" {
			wrong = append(wrong, why)
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text := "ok"
	if len(wrong) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = strings.Join(wrong, "\n")
	}
	// Who asked may be gone.
	_, _ = fmt.Fprintln(w, text)
}

// index says what is served.
func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text := "/metrics  for Prometheus\n/healthz  200 while the process works, 503 and why it must be started again\n/readyz   200 when it serves, 503 and why not\n"
	if s.options.Profiles {
		text += "/debug/pprof/  profiles\n"
	}
	_, _ = fmt.Fprint(w, text)
}
