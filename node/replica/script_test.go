package replica

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
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts print into their files")

// Scripts in testdata tell stories: a line that begins with "> " is a command, and what follows is what it prints. -rewrite makes that anew.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			got := playScript(t, string(content))
			if *rewrite {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(content), got)
		})
	}
}

// playScript keeps comments and commands, and puts what each command prints behind it.
func playScript(t *testing.T, script string) string {
	t.Helper()
	var out strings.Builder
	s := &stage{now: env.Instant(time.Second), logs: map[string]*scriptLog{}}
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "#") || line == "":
			out.WriteString(line + "\n")
		case strings.HasPrefix(line, "> "):
			out.WriteString(line + "\n")
			if text := s.do(t, strings.Fields(line[2:])); text != "" {
				out.WriteString(text + "\n")
			}
		}
	}
	return out.String()
}

// stage is what a script acts on.
type stage struct {
	now    env.Instant
	leader *Leader
	logs   map[string]*scriptLog
}

// scriptLog is a log of which only places are told.
type scriptLog struct {
	epochs     Epochs
	start, end message.LogOffset
}

func (s *stage) do(t *testing.T, words []string) string {
	t.Helper()
	arguments := map[string]string{}
	var plain []int64
	for _, w := range words[1:] {
		if name, value, ok := strings.Cut(w, "="); ok {
			arguments[name] = value
			continue
		}
		n, err := strconv.ParseInt(w, 10, 64)
		require.NoError(t, err, "%v", words)
		plain = append(plain, n)
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(arguments[name], 10, 64)
		return n
	}
	switch words[0] {
	case "log":
		return s.log(t, arguments, number)
	case "answer":
		return s.answer(arguments["copy"], arguments["master"])
	case "pass":
		s.now = s.now.Add(time.Duration(plain[0]) * time.Millisecond)
	case "leader":
		s.leader = NewLeader(LeaderOptions{
			Self: 1, Epoch: Epoch(number("epoch")), Set: setOf(arguments["set"]), SetEpoch: int32(number("setEpoch")), Elected: message.LogOffset(number("elected")), Table: uint64(number("table")),
			MinInSync: int(number("min")), Written: arguments["written"] == "true", BehindFor: time.Second,
		}, message.LogOffset(number("confirmed")), s.now)
	case "own":
		s.leader.Own(position(plain), s.now)
	case "connect":
		s.leader.Connect(BrokerID(plain[0]), 1, arguments["learner"] == "true", s.now)
	case "disconnect":
		s.leader.Disconnect(BrokerID(plain[0]))
	case "report":
		epoch := s.leader.Epoch()
		if _, given := arguments["epoch"]; given {
			epoch = Epoch(number("epoch"))
		}
		if err := s.leader.Report(BrokerID(plain[0]), epoch, position(plain[1:]), s.now); err != nil {
			return err.Error()
		}
	case "prove":
		s.leader.Prove(s.now.Add(time.Duration(plain[0])*time.Millisecond), s.now)
	case "ask":
		s.leader.Ask(setOf(arguments["set"]))
	case "decided":
		s.leader.Decided(setOf(arguments["set"]), int32(number("setEpoch")), s.now)
	case "change":
		want, ok := s.leader.Change(s.now)
		return fmt.Sprintf("%v %v", want, ok)
	default:
		t.Fatalf("unknown command %q", words[0])
	}
	if s.leader == nil {
		return ""
	}
	return fmt.Sprintf("%v, ready %v", s.leader, s.leader.Ready())
}

func (s *stage) log(t *testing.T, arguments map[string]string, number func(string) int64) string {
	t.Helper()
	var eras []Era
	for _, text := range strings.FieldsFunc(arguments["eras"], func(r rune) bool { return r == ',' }) {
		era, err := parseEra(text)
		require.NoError(t, err)
		eras = append(eras, era)
	}
	epochs, err := NewEpochs(eras)
	if err != nil {
		return err.Error()
	}
	s.logs[arguments["name"]] = &scriptLog{epochs, message.LogOffset(number("start")), message.LogOffset(number("end"))}
	return ""
}

// answer prints what a master answers, and what the copy makes of it.
func (s *stage) answer(copyName, masterName string) string {
	c, m := s.logs[copyName], s.logs[masterName]
	const size = 1 << 20
	w, err := Answer(&Hello{SegmentSize: size, Start: c.start, End: c.end, Eras: c.epochs.Eras()}, &m.epochs, m.start, m.end, m.end, size)
	if err != nil {
		return err.Error()
	}
	f := NewFollower(9, c.epochs, c.end)
	plan, err := f.Welcome(9, w, c.start)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("cut at %d, anew %v, compare from %d; then %v", plan.CutAt, plan.Anew, plan.CheckFrom, f)
}

func position(plain []int64) Position {
	p := Position{End: message.LogOffset(plain[0]), Flushed: message.LogOffset(plain[0])}
	if len(plain) > 1 {
		p.Flushed = message.LogOffset(plain[1])
	}
	if len(plain) > 2 {
		p.Table = uint64(plain[2])
	}
	return p
}

func setOf(text string) Set {
	var ids []BrokerID
	for _, word := range strings.Split(text, ",") {
		n, _ := strconv.ParseInt(word, 10, 64)
		ids = append(ids, BrokerID(n))
	}
	return NewSet(ids...)
}
