package main

import (
	"bytes"
	"context"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// watched passes signals to a watch, and returns what it did and what it said.
func watched(received ...os.Signal) (events []string, said string) {
	signals := make(chan os.Signal, len(received))
	for _, s := range received {
		signals <- s
	}
	close(signals)
	var text bytes.Buffer
	watchSignals(signals, &console{err: &text}, func() { events = append(events, "stop") }, func() { events = append(events, "exit") })
	return events, text.String()
}

func TestTheFirstSignalStopsAndASecondInterruptExits(t *testing.T) {
	events, said := watched(os.Interrupt, os.Interrupt, os.Interrupt)
	require.Equal(t, []string{"stop", "exit"}, events)
	require.Equal(t, lines(
		"stopping in order after interrupt; a second interrupt (Ctrl-C) stops at once",
		"stopping at once after a second interrupt: the next start recovers",
	), said)
	for _, order := range [][]os.Signal{
		{syscall.SIGTERM, os.Interrupt, os.Interrupt},
		{os.Interrupt, syscall.SIGTERM, os.Interrupt},
	} {
		events, _ = watched(order...)
		require.Equal(t, []string{"stop", "exit"}, events, "%v", order)
	}
}

// Supervisors repeat SIGTERM, and send it beside the SIGINT of a terminal.
func TestASecondSIGTERMDoesNotCutTheStopShort(t *testing.T) {
	events, said := watched(syscall.SIGTERM, syscall.SIGTERM, syscall.SIGTERM, os.Interrupt)
	require.Equal(t, []string{"stop"}, events)
	require.Equal(t, lines(
		"stopping in order after terminated; interrupting twice (Ctrl-C) stops at once",
		"still stopping in order, terminated changes nothing; interrupting twice (Ctrl-C) stops at once",
		"still stopping in order, terminated changes nothing; interrupting twice (Ctrl-C) stops at once",
		"still stopping in order, interrupt changes nothing; a second interrupt (Ctrl-C) stops at once",
	), said)
	events, _ = watched(os.Interrupt, syscall.SIGTERM, syscall.SIGTERM)
	require.Equal(t, []string{"stop"}, events)
}

func TestTheHelpOfNodesSaysWhatSignalsDo(t *testing.T) {
	for _, node := range []string{"broker", "namesrv", "standalone"} {
		code, out, _ := called(t, "gantry", node, "--help")
		require.Zero(t, code)
		require.Contains(t, out, "A second SIGINT stops it at once, as a crash would:", node)
		require.Contains(t, out, "Further SIGTERMs change nothing.", node)
	}
}

func TestAReleasedWatchDoesNothing(t *testing.T) {
	ctx, release := untilSignal(context.Background(), &console{err: &bytes.Buffer{}})
	require.NoError(t, ctx.Err())
	release()
	require.ErrorIs(t, ctx.Err(), context.Canceled)
}
