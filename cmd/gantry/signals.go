package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// exitInterrupted is what shells show for a process that a signal ended.
const exitInterrupted = 130

// untilSignal returns a context that ends at the first SIGINT or SIGTERM, which
// stops nodes in order. A second signal ends the process at once, as a crash would: what was
// acknowledged is safe, and the next start recovers. The caller must call release.
func untilSignal(parent context.Context, c *console) (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go watchSignals(signals, c, cancel, func() { os.Exit(exitInterrupted) })
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}

// watchSignals calls stop at the first signal and exit at the second. It ends when signals is closed.
func watchSignals(signals <-chan os.Signal, c *console, stop, exit func()) {
	first, ok := <-signals
	if !ok {
		return
	}
	// Nothing can be done if standard error is gone; stopping matters more.
	_, _ = fmt.Fprintf(c.err, "stopping after %s; a second signal stops at once\n", first)
	stop()
	if _, again := <-signals; again {
		exit()
	}
}
