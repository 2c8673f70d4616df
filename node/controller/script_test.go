package controller

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "write the expected output of scripts anew")

// A script is a list of commands, each with what it prints. Commands that change the state are those of the controllers:
//
//	id NAME ID CODE [cluster=c]
//	register NAME ID [inc=N] [whole] [epoch=N] [end=N] [timeout=N] [cluster=c] [at=ADDRESS]
//	elect NAME ID WHY [epoch=N] [inc=N] [end=N]
//	set NAME MASTER ID,ID… [epoch=N] [setepoch=N] [confirmed=N] [of=ID:INCARNATION]
//	clean NAME [ID,ID…]
//	timeout NAME ID inc=N timeout=N
//
// Epochs that are not given are the present ones. What a leader hears and decides:
//
//	reign AT                               a leader begins, AT milliseconds after the start
//	hear NAME ID AT [inc=N] [epoch=N] [end=N] [priority=N] [timeout=N]
//	grant NAME ID AT
//	decide NAME AT [unclean]
type script struct {
	state *state
	watch *watch
}

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.script")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			got := runScript(t, string(text))
			if *rewrite {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
			}
			require.Equal(t, string(text), got, "run make rewrite, and review the difference")
		})
	}
}

// runScript returns the script with what its commands print now.
func runScript(t *testing.T, text string) string {
	t.Helper()
	s := &script{state: newState(), watch: newWatch(0)}
	var out strings.Builder
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "> "):
			out.WriteString(line)
			out.WriteString(s.run(t, strings.Fields(line)[1:]) + "\n")
		case strings.HasPrefix(line, "#") || line == "\n":
			out.WriteString(line)
		}
	}
	return out.String()
}

// words are the arguments of a line: those with = by their names.
type words struct {
	t     *testing.T
	plain []string
	named map[string]string
}

func (w *words) number(name string, fallback int64) int64 {
	text, given := w.named[name]
	if !given {
		return fallback
	}
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(w.t, err, text)
	return n
}

func (w *words) ids(place int) (ids []int64) {
	if place >= len(w.plain) {
		return nil
	}
	for part := range strings.SplitSeq(w.plain[place], ",") {
		n, err := strconv.ParseInt(part, 10, 64)
		require.NoError(w.t, err, part)
		ids = append(ids, n)
	}
	return ids
}

func (w *words) has(word string) bool {
	for _, plain := range w.plain {
		if plain == word {
			return true
		}
	}
	return false
}

func (w *words) text(name, fallback string) string {
	if text, given := w.named[name]; given {
		return text
	}
	return fallback
}

func (s *script) run(t *testing.T, line []string) string {
	t.Helper()
	w := &words{t: t, named: map[string]string{}}
	for _, word := range line[1:] {
		if name, value, ok := strings.Cut(word, "="); ok {
			w.named[name] = value
		} else {
			w.plain = append(w.plain, word)
		}
	}
	switch line[0] {
	case "reign":
		s.watch = newWatch(s.at(w, 0))
		return "ok"
	case "hear", "grant", "decide":
		return s.observe(line[0], w)
	}
	cmd := s.command(kind(line[0]), w)
	read, err := unmarshalCommand(cmd.marshal())
	require.NoError(t, err)
	before := string(s.state.marshal())
	if r := s.state.apply(read); r != nil {
		require.Equal(t, before, string(s.state.marshal()), "what is refused changes nothing")
		return fmt.Sprintf("%s: %s", proto.ResponseName(r.code), r.text)
	}
	g := s.state.groups[w.plain[0]]
	require.NoError(t, g.check())
	return g.String()
}

func (s *script) at(w *words, place int) env.Instant {
	return env.Instant(1).Add(time.Duration(w.ids(place)[0]) * time.Millisecond)
}

func (s *script) command(k kind, w *words) *command {
	name := w.plain[0]
	g := s.state.groups[name]
	if g == nil {
		g = &group{}
	}
	c := &command{Kind: k, Name: name, Cluster: w.text("cluster", "c")}
	if k != kindClean {
		c.ID = w.ids(1)[0]
	}
	c.MasterEpoch, c.SetEpoch = int32(w.number("epoch", int64(g.Epoch))), int32(w.number("setepoch", int64(g.SetEpoch)))
	c.Incarnation, c.LogEnd, c.TimeoutMillis = w.number("inc", 1), w.number("end", 0), w.number("timeout", 1500)
	switch k {
	case kindApplyID:
		c.CheckCode = w.plain[2]
	case kindRegister:
		c.Address, c.Whole, c.LastEpoch = w.text("at", fmt.Sprintf("%s-%d:1", name, c.ID)), w.has("whole"), int32(w.number("epoch", 0))
	case kindElect:
		c.Why = why(w.plain[2])
		if m := g.member(c.ID); m != nil {
			c.Incarnation = w.number("inc", m.Incarnation)
		}
	case kindAlterSet:
		c.NewSet, c.Confirmed = w.ids(2), w.number("confirmed", 0)
		if text, given := w.named["of"]; given {
			var caught proto.MemberIncarnation
			_, err := fmt.Sscanf(text, "%d:%d", &caught.BrokerID, &caught.Incarnation)
			require.NoError(w.t, err)
			c.Incarnations = append(c.Incarnations, caught)
		}
	case kindClean:
		c.IDs = w.ids(1)
	}
	return c
}

// observe is for what a leader hears.
func (s *script) observe(deed string, w *words) string {
	g := s.state.groups[w.plain[0]]
	known := s.watch.of(g, 1500*time.Millisecond)
	if deed == "decide" {
		d := known.decide(g, s.watch.since, s.at(w, 1), rules{timeout: 1500 * time.Millisecond, unclean: w.has("unclean")})
		switch {
		case d.candidate != nil:
			return fmt.Sprintf("elect %d: %s", d.candidate.ID, d.why)
		case d.trouble != "":
			return d.trouble
		case d.again != env.Never:
			return fmt.Sprintf("look again at %d ms", d.again.Sub(1).Milliseconds())
		}
		return "nothing to do"
	}
	m, now := g.member(w.ids(1)[0]), s.at(w, 2)
	if deed == "grant" {
		return fmt.Sprintf("%s, lease until %d ms", known.grant(g, m, 0, now), known.leaseUntil.Sub(1).Milliseconds())
	}
	r := known.hear(g, m, news{
		incarnation: w.number("inc", m.Incarnation), timeout: time.Duration(w.number("timeout", 1500)) * time.Millisecond, lastEpoch: int32(w.number("epoch", 0)),
		logEnd: w.number("end", 0), priority: int32(w.number("priority", priorityDefault)), drained: w.has("drained"),
	}, now)
	if r != nil {
		return fmt.Sprintf("%s: %s", proto.ResponseName(r.code), r.text)
	}
	return "ok"
}
