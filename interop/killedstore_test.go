//go:build interop

package interop_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/stretchr/testify/require"
)

// writerDirectory is the variable that makes the test binary a process that only writes; see below.
const writerDirectory = "GANTRY_INTEROP_STORE"

// killedWriter appends in a process of its own, and kills it in the middle of its work, when it has said of n messages that
// they are stored.
func (m *move) killedWriter(n int) {
	m.Helper()
	letters := m.writer.letters(20 * n)
	command := exec.Command(os.Args[0], "-test.run", "^TestWriterThatIsKilled$")
	command.Env = append(os.Environ(), writerDirectory+"="+m.directory)
	p := launch(m.T, command)
	_, err := p.in.Write(lines(m.T, letters))
	require.NoError(m.T, err)
	require.NoError(m.T, p.in.Close())
	eventually(m.T, "enough acknowledgements", func() bool { return len(p.Out.Lines(0)) >= n || p.Ended() })
	p.Kill()
	require.False(m.T, p.Command.ProcessState.Exited(), "it ended before it could be killed")
	m.requireMarker(true)
	sent := m.shelf.put(letters)
	for i, line := range p.Out.Lines(0) {
		var at store.Place
		require.NoError(m.T, json.Unmarshal([]byte(line), &at), line)
		m.shelf.acknowledge(m.T, sent[i], int64(at.Log), int64(at.Queue))
	}
}

// TestWriterThatIsKilled is no test, but what killedWriter runs: it appends the letters of its input and prints where each is
// stored, once that is acknowledged.
func TestWriterThatIsKilled(t *testing.T) {
	directory := os.Getenv(writerDirectory)
	if directory == "" {
		return
	}
	var letters []letter
	for in := bufio.NewReader(os.Stdin); ; {
		line, err := in.ReadBytes('\n')
		if err != nil {
			break
		}
		var l letter
		require.NoError(t, json.Unmarshal(bytes.TrimSpace(line), &l))
		letters = append(letters, l)
	}
	withOurStore(t, directory, func(e env.Env, s *store.Store) error {
		return postLetters(e, s, letters, func(_ int, at store.Place) {
			line, _ := json.Marshal(at)
			fmt.Println(string(line))
		})
	})
}
