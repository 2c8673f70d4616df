//go:build interop

package interop_test

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// peer is somebody else's client.
type peer struct {
	name string
	// install makes it ready to run. If the machine has not what it needs, missing says what.
	install func() (missing string, err error)
	// command runs it as a "producer" or a "consumer".
	command func(role, settings string) *exec.Cmd
	// untagged is the tag that a message sent without one has.
	untagged string
	// java says that it runs in a virtual machine.
	java bool
	// createsTopics says that a send to an unknown topic goes to a broker that may make it.
	createsTopics bool
}

var peers = []*peer{
	{name: "ali-ons", install: installAliOns, command: aliOns, untagged: "null"},
	{name: "official", install: installOfficial, command: official, createsTopics: true},
	{name: "java", install: javaClient.install, command: javaPeer, createsTopics: true, java: true},
}

// withEachPeer runs a test for every peer, side by side. It shows the capabilities of those rows of the table.
func withEachPeer(t *testing.T, test func(t *testing.T, p *peer), rows ...row) {
	t.Helper()
	t.Parallel()
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			missing, err := p.install()
			require.NoError(t, err)
			if missing != "" {
				t.Skip(missing)
			}
			if p.java {
				takeJavaTurn(t)
			}
			covers(t, p.name, rows...)
			test(t, p)
		})
	}
}

// start runs a peer and waits until it is ready.
func (p *peer) start(t *testing.T, role string, s settings) *process {
	t.Helper()
	text, err := json.Marshal(s)
	require.NoError(t, err)
	running := launch(t, p.command(role, string(text)))
	running.announced(t, `(\{"ready":true\})`)
	return running
}
