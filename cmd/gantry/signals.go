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

// signalHelp says in the help of nodes what untilSignal does.
const signalHelp = `It stops in order at the first SIGTERM or SIGINT (Ctrl-C). A second SIGINT stops it at once, as a crash would:
what was acknowledged is safe, and the next start recovers. Further SIGTERMs change nothing.`

// untilSignal returns a context that ends at the first SIGINT or SIGTERM, which stops nodes in order. Who presses Ctrl-C twice wants
// the process to end at once, as a crash would: what was acknowledged is safe, and the next start recovers. A SIGTERM comes
// from a supervisor, which may repeat it or send it beside the terminal's SIGINT, and which has SIGKILL if it loses patience:
// it never cuts the stop short. The caller must call release.
func untilSignal(parent context.Context, c *console) (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go watchSignals(signals, c, cancel, func() { os.Exit(exitInterrupted) })
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}

// watchSignals calls stop at the first signal and exit at the second SIGINT. It ends then, or when signals is closed.
func watchSignals(signals <-chan os.Signal, c *console, stop, exit func()) {
	stopping, interrupts := false, 0
	for received := range signals {
		if received == os.Interrupt {
			interrupts++
		}
		if interrupts == 2 {
			say(c, "stopping at once after a second interrupt: the next start recovers")
			exit()
			return
		}
		if !stopping {
			say(c, fmt.Sprintf("stopping in order after %s; %s stops at once", received, moreInterrupts(interrupts)))
			stop()
		} else {
			say(c, fmt.Sprintf("still stopping in order, %s changes nothing; %s stops at once", received, moreInterrupts(interrupts)))
		}
		stopping = true
	}
}

// moreInterrupts tells what is still to be pressed.
func moreInterrupts(interrupts int) string {
	if interrupts > 0 {
		return "a second interrupt (Ctrl-C)"
	}
	return "interrupting twice (Ctrl-C)"
}

// say writes a line for who watches. Nothing can be done if standard error is gone; stopping matters more.
func say(c *console, line string) { _, _ = fmt.Fprintln(c.err, line) }
