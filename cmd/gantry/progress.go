package main

import (
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"go.uber.org/zap"
	"golang.org/x/term"
)

// progress shows on a terminal how much was done of long work; elsewhere it is silent.
func progress(what string) func(done, total int64) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	var bar *progressbar.ProgressBar
	return func(done, total int64) {
		if bar == nil {
			bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what),
				progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
		}
		// The bar is for show.
		_ = bar.Set64(done)
	}
}

const (
	// recoveryQuiet is how long a start may take before it is shown what it does.
	recoveryQuiet = time.Second
	// recoveryLogged is how often that is logged where there is no terminal.
	recoveryLogged = 5 * time.Second
)

// recoveryProgress shows how far a broker has read its log when it starts after a crash. The whole is the most that there
// can be, so the end may come early.
func recoveryProgress(log *zap.Logger) func(done, total int64) {
	began := time.Now()
	bar := progress("reading the log")
	next := began.Add(recoveryLogged)
	calls := 0
	return func(done, total int64) {
		// It is told of each record, and a clock takes as long as a small one.
		if calls++; calls%1024 != 0 && done < total {
			return
		}
		now := time.Now()
		switch {
		case bar != nil && now.Sub(began) > recoveryQuiet:
			bar(done, total)
		case bar == nil && now.After(next):
			log.Info("reading the log after a crash", zap.Int64("bytes", done), zap.Int64("at most", total))
			next = now.Add(recoveryLogged)
		}
	}
}
