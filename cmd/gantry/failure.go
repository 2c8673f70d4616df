package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
)

// failure is an error together with what to do about it and the code that the process ends with.
type failure struct {
	cause  error
	advice string // a sentence without a full stop; may be empty
	code   int
}

// Error is the cause, and the advice on a line of its own.
func (f *failure) Error() string {
	if f.advice == "" {
		return f.cause.Error()
	}
	return f.cause.Error() + "\n  to fix it: " + f.advice
}

func (f *failure) Unwrap() error { return f.cause }

// wrongUsage is a failure of the command line or the configuration.
func wrongUsage(format string, values ...any) error {
	return &failure{cause: fmt.Errorf(format, values...), code: exitUsage}
}

// describe is the text of an error. Several mistakes get a line each.
func describe(err error) string {
	text := err.Error()
	if lines := strings.Split(text, "\n"); len(lines) > 1 && !strings.HasPrefix(lines[1], "  ") {
		return fmt.Sprintf("%d mistakes\n  ", len(lines)) + strings.Join(lines, "\n  ")
	}
	return text
}

// place is what a node was told to use, and the options that set it.
type place struct{ listen, listenOption, directory, directoryOption string }

// explainStart adds the cause and the fix to an error of a node that could not start.
func (p place) explainStart(err error) error {
	if err == nil {
		return nil
	}
	failed := &failure{cause: err, code: exitFailed}
	switch {
	case errors.Is(err, osenv.ErrCertificates):
		failed.advice = "name PEM files that this user can read, with tls.server.certPath, tls.server.keyPath and the other keys that begin with tls; -h lists them"
	case errors.Is(err, broker.ErrFastListen):
		failed.advice = fmt.Sprintf("stop the process that listens there (ss -ltnp shows it), choose another port with %s, which also moves the fast port, or do without the fast port by fastListenEnable=false", p.listenOption)
	case errors.Is(err, broker.ErrReplicationListen):
		failed.advice = fmt.Sprintf("stop the process that listens there (ss -ltnp shows it), choose another port with --haListenPort or %s, or do without slaves by --haListenPort 0", p.listenOption)
	case errors.Is(err, env.ErrAddressInUse):
		failed.advice = fmt.Sprintf("another process listens on %s; stop it (ss -ltnp shows which), or choose another port with %s", p.listen, p.listenOption)
	case errors.Is(err, env.ErrLocked):
		failed.advice = fmt.Sprintf("another process uses the directory %s; stop it, or choose another directory with %s", p.directory, p.directoryOption)
	case errors.Is(err, fs.ErrPermission) && strings.Contains(err.Error(), "listen"):
		failed.advice = fmt.Sprintf("this user may not listen on %s; choose a port above 1023 with %s", p.listen, p.listenOption)
	case errors.Is(err, fs.ErrPermission):
		failed.advice = fmt.Sprintf("this user may not write to the directory %s; change its owner (chown), or choose another with %s", p.directory, p.directoryOption)
	case errors.Is(err, env.ErrNoSpace):
		failed.advice = fmt.Sprintf("the disk of %s is full; make room, or choose another directory with %s", p.directory, p.directoryOption)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		failed.advice = fmt.Sprintf("this machine has no address %s; see those it has with ip address", p.listen)
	}
	return failed
}

// isUnreachable reports whether an error says that nobody was there to answer.
func isUnreachable(err error) bool {
	for _, sign := range []error{env.ErrRefused, env.ErrUnknownHost, env.ErrDeadline, context.DeadlineExceeded} {
		if errors.Is(err, sign) {
			return true
		}
	}
	return false
}
