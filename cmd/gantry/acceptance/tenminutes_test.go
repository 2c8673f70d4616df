package acceptance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/stretchr/testify/require"
)

// tour is somebody who follows "Ten minutes" of README.md. Ports and files are the test's own; all else is as it stands there.
type tour struct {
	t         *testing.T
	directory string
	here      *strings.Replacer // from what README.md says to what is here
	environ   []string
	screen    *processtest.Process // the terminal whose program said something last
	read      int                  // bytes of it that were looked at
}

// block is a fenced part of README.md.
type block struct{ language, text string }

func tenMinutes(t *testing.T) []block {
	t.Helper()
	readme, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n## Ten minutes\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var blocks []block
	for _, fenced := range regexp.MustCompile("(?s)\n```([a-z]*)\n(.*?)```\n").FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, block{fenced[1], fenced[2]})
	}
	return blocks
}

func TestEndToEndTheFirstTenMinutesAreAsTheReadmeSays(t *testing.T) {
	endToEnd(t)
	v := &tour{t: t, directory: t.TempDir(), here: strings.NewReplacer("bin/gantry", binaryPath(t))}
	blocks := tenMinutes(t)
	require.Greater(t, len(blocks), 5)
	for _, b := range blocks {
		if b.language == "go" {
			v.buildProgram(b.text)
			continue
		}
		said, commands, _ := strings.Cut(b.text, "$ ")
		v.screenShows(said)
		for command := range strings.SplitSeq(commands, "$ ") {
			if line, want, _ := strings.Cut(command, "\n"); line != "" {
				line, _, _ = strings.Cut(line, "    #")
				v.follow(line, want)
			}
		}
	}
}

// follow carries out one command and compares what it says.
func (v *tour) follow(line, want string) {
	v.t.Helper()
	switch {
	case line == "make run":
		v.makeRun()
		v.screenShows(want)
	case line == "make build":
		// The binary is there.
	case line == "export NAMESRV_ADDR=127.0.0.1:9876":
		v.environ = append(os.Environ(), v.here.Replace("NAMESRV_ADDR=127.0.0.1:9876"))
	case line == "NAMESRV_ADDR=127.0.0.1:9876 go run /tmp/consume.go":
		v.start(exec.Command(filepath.Join(v.directory, "consume")))
		v.screenShows(want)
	case strings.HasPrefix(line, "bin/gantry "):
		command := exec.Command("sh", "-c", v.here.Replace(line))
		command.Env = v.environ
		said, err := command.CombinedOutput()
		if strings.HasPrefix(line, "bin/gantry admin doctor") {
			// What it finds, such as a full disk, is no failure of it.
			err = nil
		}
		require.NoError(v.t, err, "%s: %s", line, said)
		require.Regexp(v.t, v.pattern(want, true), string(said), line)
	default:
		v.t.Fatalf("README.md has a command that nobody has tried: %s", line)
	}
}

// makeRun does what the Makefile does, at ports that are free.
func (v *tour) makeRun() {
	v.t.Helper()
	makefile, err := os.ReadFile("../../../Makefile")
	require.NoError(v.t, err)
	require.Contains(v.t, string(makefile), "exec bin/gantry standalone $(ARGS)\n")
	binary := binaryPath(v.t)
	v.start(exec.Command(binary, "standalone", "--data", v.directory, "--namesrvPort", "0", "--brokerPort", "0"))
	names, err := v.screen.Says(processtest.NameServerStarted)
	require.NoError(v.t, err)
	broker, err := v.screen.Says(processtest.BrokerStarted("broker-a"))
	require.NoError(v.t, err)
	v.here = strings.NewReplacer("bin/gantry", binary, "127.0.0.1:9876", names, "127.0.0.1:10911", broker)
}

// buildProgram builds a program as `go run` does it: in the clone, wherever its file is.
func (v *tour) buildProgram(text string) {
	v.t.Helper()
	file := filepath.Join(v.directory, "consume.go")
	require.NoError(v.t, os.WriteFile(file, []byte(text), 0o600))
	command := exec.Command("go", "build", "-o", filepath.Join(v.directory, "consume"), file)
	command.Dir = "../../.."
	said, err := command.CombinedOutput()
	require.NoError(v.t, err, string(said))
}

// start runs a program in another terminal.
func (v *tour) start(command *exec.Cmd) {
	v.t.Helper()
	command.Env = v.environ
	v.screen, v.read = processtest.Launch(v.t, command), 0
}

// screenShows waits until the program says something. "^C" stands for Ctrl-C, after which it is to end in order.
func (v *tour) screenShows(want string) {
	v.t.Helper()
	want, interrupted := strings.CutSuffix(want, "^C\n")
	if want != "" {
		pattern := regexp.MustCompile(v.pattern(want, false))
		soon(v.t, func() bool { return pattern.MatchString(v.screen.Out.String()[v.read:]) }, "%s\ndoes not say\n%s", v.screen, want)
		v.read += len(pattern.FindString(v.screen.Out.String()[v.read:]))
	}
	if interrupted {
		code, err := v.screen.Stop(syscall.SIGINT)
		require.NoError(v.t, err)
		require.Zero(v.t, code, v.screen)
	}
}

// pattern is what README.md says as a regular expression. A line "…" stands for any lines, "…" within one for anything, and blanks for
// any number of blanks. Whole means that nothing else may follow.
func (v *tour) pattern(want string, whole bool) string {
	var pattern strings.Builder
	pattern.WriteString(`\A`)
	for line := range strings.Lines(v.here.Replace(want)) {
		line = strings.TrimSpace(line)
		if line == "…" {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		quoted := strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*")
		pattern.WriteString(`\s*` + regexp.MustCompile(` +`).ReplaceAllString(quoted, `\s+`) + ` *\n`)
	}
	if whole {
		pattern.WriteString(`\z`)
	}
	return pattern.String()
}
