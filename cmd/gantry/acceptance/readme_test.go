package acceptance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// readmeCommands are the lines of README.md that call `bin/gantry admin` or `bin/gantry inspect` with a name server or a directory, without
// those of encryption, which need certificates.
func readmeCommands(t *testing.T) (lines []string) {
	t.Helper()
	readme, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	for line := range strings.Lines(string(readme)) {
		line, _, _ = strings.Cut(line, " #")
		online := strings.HasPrefix(line, "bin/gantry admin ") && strings.Contains(line, "-n 127.0.0.1:9876") && !strings.Contains(line, "tls")
		if online || strings.HasPrefix(line, "bin/gantry inspect ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// Commands run in the order in which README.md has them: first those for which the broker runs, and then those that want it stopped.
func TestEndToEndTheCommandsOfTheReadmeSucceed(t *testing.T) {
	endToEnd(t)
	c := own(t)
	topic := c.topic(t, "hello", 1)
	sendNumbered(t, c.producer(t), topic, 3)
	consumer := c.consume(t, "billing", topic)
	gets(t, numbers(3), consumer)
	binary := binaryPath(t)
	store := filepath.Join(c.directory, "broker-a")
	here := strings.NewReplacer("bin/gantry", binary, "127.0.0.1:9876", c.names, "~/gantry-data/store", store)
	sent := send(t, c.producer(t), client.NewMessage(topic, []byte("x")))
	lines := readmeCommands(t)
	require.Greater(t, len(lines), 12)
	stopped := false
	for _, line := range lines {
		id := sent.UniqueID
		if strings.Contains(line, "queryMsgById") {
			id = sent.OffsetID
		}
		if !stopped && strings.Contains(line, "inspect index") {
			// The newest keys get into the files of a live broker after a while.
			stopped = true
			consumer.leave(t)
			stop(t, c.nodes["broker-a"])
		}
		command := exec.Command("sh", "-c", strings.ReplaceAll(here.Replace(line), " ID", " "+id)+
			// With other sizes of files than the usual ones, inspect wants to know them.
			map[bool]string{true: " -c " + settingsOf(t), false: ""}[strings.Contains(line, " inspect ")])
		said, err := command.CombinedOutput()
		if strings.Contains(line, "doctor") {
			// What it finds, such as a full disk, is no failure of it.
			require.Regexp(t, "brokers +masters were found", string(said))
			continue
		}
		require.NoError(t, err, "%s: %s", line, said)
	}
	require.True(t, stopped)
}

// settingsOf is a configuration with the sizes of files that clusters of these tests have.
func settingsOf(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "broker.conf")
	require.NoError(t, os.WriteFile(file, []byte("mappedFileSizeCommitLog=33554432\n"), 0o600))
	return file
}
