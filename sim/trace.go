package sim

import (
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/gantrymq/gantry/node/env"
)

// trace is the running fingerprint of a run: every scheduling decision, delivered
// byte range and disk effect goes in. Two runs of one seed must
// agree in it, whether or not somebody listens: so log lines, which are made only for
// listeners, are printed and do not count.
type trace struct {
	hash  uint64
	step  uint64 // number of entries so far
	lines io.Writer
}

// What an entry of the trace says.
const (
	traceResume   = "resume"
	traceDeliver  = "deliver"
	traceConnect  = "connect"
	traceBreak    = "break"
	traceWrite    = "write"
	traceSync     = "sync"
	traceName     = "name"
	traceCrash    = "crash"
	traceBoot     = "boot"
	traceFault    = "fault"
	traceLog      = "log"
	traceScenario = "scenario"
)

// add mixes an entry in: its kind by first letters, its time, and two numbers.
func (t *trace) add(now env.Instant, kind string, a, b uint64) {
	t.step++
	h := t.hash ^ uint64(now)
	h = mix(h ^ uint64(kind[0])<<56 ^ uint64(kind[1])<<48 ^ a)
	t.hash = mix(h ^ b)
}

// line prints an entry if somebody listens.
func (t *trace) line(now env.Instant, kind, format string, args ...any) {
	if t.lines == nil {
		return
	}
	fmt.Fprintf(t.lines, "%8d %s %-8s %s\n", t.step, now, kind, fmt.Sprintf(format, args...))
}

func hashBytes(p []byte) uint64 { return uint64(crc32.ChecksumIEEE(p)) }

func hashString(s string) uint64 {
	h := uint64(len(s))
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return h
}

// logSink feeds log lines to the trace and to the run's log.
type logSink struct{ kernel *Kernel }

func (s logSink) Write(p []byte) (int, error) {
	k := s.kernel
	k.trace.line(k.now, traceLog, "%s", strings.TrimSuffix(string(p), "\n"))
	if k.options.Log != nil {
		return k.options.Log.Write(p)
	}
	return len(p), nil
}

func (s logSink) Sync() error { return nil }
