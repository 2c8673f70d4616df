package acceptance_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The commands of "Watch it" are run as they stand in README.md, but for the ports.
func TestEndToEndWatchingIsAsTheReadmeSays(t *testing.T) {
	endToEnd(t)
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl here, which README.md calls")
	}
	readme, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n## Watch it\n")
	require.True(t, found)
	_, section, _ = strings.Cut(section, "\n```\n")
	section, _, _ = strings.Cut(section, "\n```\n")

	w, _ := watchedStandalone(t)
	v := &tour{t: t, here: strings.NewReplacer("http://127.0.0.1:5557", w.base)}
	commands := strings.Split("\n"+section+"\n", "\n$ ")[1:]
	require.Len(t, commands, 3)
	for i, command := range commands {
		line, want, _ := strings.Cut(command, "\n")
		line, _, _ = strings.Cut(line, "    #")
		if i == 0 {
			require.Equal(t, "bin/gantry standalone --metricsExporterType PROM &", line)
			v.screen = w.Process
			v.screenShows(want + "\n")
			continue
		}
		said, err := exec.Command("sh", "-c", v.here.Replace(line)).CombinedOutput()
		require.NoError(t, err, "%s: %s", line, said)
		require.Regexp(t, v.pattern(strings.TrimSpace(want)+"\n", true), string(said), line)
	}
	stop(t, w.Process)
}
