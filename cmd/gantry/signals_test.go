package main

import (
	"bytes"
	"context"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheFirstSignalStopsAndTheSecondExits(t *testing.T) {
	signals := make(chan os.Signal, 2)
	var said bytes.Buffer
	var events []string
	signals <- syscall.SIGTERM
	signals <- os.Interrupt
	watchSignals(signals, &console{err: &said}, func() { events = append(events, "stop") }, func() { events = append(events, "exit") })
	require.Equal(t, []string{"stop", "exit"}, events)
	require.Equal(t, "stopping after terminated; a second signal stops at once\n", said.String())
}

func TestAReleasedWatchDoesNothing(t *testing.T) {
	ctx, release := untilSignal(context.Background(), &console{err: &bytes.Buffer{}})
	require.NoError(t, ctx.Err())
	release()
	require.ErrorIs(t, ctx.Err(), context.Canceled)
}
