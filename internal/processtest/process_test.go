package processtest

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func shell(t *testing.T, script string) *Process {
	t.Helper()
	return Launch(t, exec.Command("sh", "-c", script))
}

func TestTheFirstGroupOfWhatIsSaidIsReturned(t *testing.T) {
	p := shell(t, "sleep 0.05; echo listens at 7; exec sleep 60")
	found, err := p.Says(`at (\d)`)
	require.NoError(t, err)
	require.Equal(t, "7", found)
	found, err = p.Says(`l\w+s`)
	require.NoError(t, err)
	require.Equal(t, "listens", found)
	require.False(t, p.Ended())
}

func TestTheLastWordsOfAProcessCount(t *testing.T) {
	p := shell(t, "echo ready")
	code, err := p.Code()
	require.NoError(t, err)
	require.Zero(t, code)
	_, err = p.Says("ready")
	require.NoError(t, err)
}

func TestAProcessThatEndsInsteadIsShown(t *testing.T) {
	p := shell(t, "echo out; echo why >&2; exit 3")
	_, err := p.Says("ready")
	require.ErrorContains(t, err, "it does not say ready, but ended with code 3")
	require.ErrorContains(t, err, "out\n\nwhy\n")
}

func TestAStoppedProcessHasItsCodeAndAKilledOneNone(t *testing.T) {
	p := shell(t, `trap "exit 5" TERM; echo ready; while :; do sleep 0.01; done`)
	_, err := p.Says("ready")
	require.NoError(t, err)
	code, err := p.Stop(syscall.SIGTERM)
	require.NoError(t, err)
	require.Equal(t, 5, code)

	p = shell(t, "exec sleep 60")
	p.Kill()
	require.True(t, p.Ended())
	code, err = p.Code()
	require.NoError(t, err)
	require.Equal(t, -1, code)
}

func TestAProcessThatDoesNotEndIsAskedWhyAndKilled(t *testing.T) {
	p := shell(t, `trap "" QUIT; echo deaf; exec sleep 60`)
	_, err := p.Says("deaf")
	require.NoError(t, err)
	_, err = p.codeWithin(time.Millisecond, 10*time.Millisecond)
	require.ErrorContains(t, err, "the process does not end")
	require.True(t, p.Ended())

	p = shell(t, `trap "echo waiting for a lock; exit 2" QUIT; echo ready; while :; do sleep 0.01; done`)
	_, err = p.Says("ready")
	require.NoError(t, err)
	_, err = p.codeWithin(time.Millisecond, Patience)
	require.ErrorContains(t, err, "waiting for a lock")
}

func TestOnlyCompleteLinesAreReturned(t *testing.T) {
	var said Transcript
	require.Empty(t, said.Lines(0))
	for _, part := range []string{"one\ntw", "o\nthr"} {
		_, err := said.Write([]byte(part))
		require.NoError(t, err)
	}
	require.Equal(t, []string{"one\n", "two\n"}, said.Lines(0))
	require.Equal(t, []string{"two\n"}, said.Lines(1))
	require.Empty(t, said.Lines(9))
}
