package scenario

import (
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
)

// This file keeps what an account may be at one broker, at any time of a run.

// aclSecret begins all passwords: it must be seen nowhere.
const aclSecret = "hush-hush-"

// aclPasswords is how many passwords an account may have.
const aclPasswords = 3

func aclPassword(account string, number int) string {
	return fmt.Sprintf("%s%s-%d", aclSecret, account, number)
}

// accountLog is one account at one node. A change that was not answered may be made at any time until the process that it was sent to is dead.
type accountLog struct {
	spans   []accountSpan
	pending []pendingChange
}

// accountSpan begins when it says and ends where the next one begins.
type accountSpan struct {
	from env.Instant
	may  []standing // that the account may have
	// unsure: these are too many to be told.
	unsure bool
}

// standingsMax is how many an account may have before nobody knows what it may do. Changes without an answer, of which each may be made or not, multiply them.
const standingsMax = 200

// accountChange is what a change makes of an account, or false if it is refused.
type accountChange func(standing) (standing, bool)

type pendingChange struct {
	change accountChange
	sentTo *broker.Broker // nil: it is not known which process
}

// changeOutcome is how a broker has answered.
type changeOutcome int

const (
	changeMade changeOutcome = iota
	changeRefused
	changeNotSent
	changeUnknown
)

func newAccountLog(s standing) *accountLog {
	return &accountLog{spans: []accountSpan{{may: []standing{s}}}}
}

func (l *accountLog) now() []standing { return l.spans[len(l.spans)-1].may }

// set begins a span.
func (l *accountLog) set(at env.Instant, may []standing) {
	unsure := l.spans[len(l.spans)-1].unsure
	for i := 0; i < len(may) && !unsure; i++ {
		for _, p := range l.pending {
			if next, made := p.change(may[i]); made && !slices.Contains(may, next) {
				may = append(may, next)
			}
		}
		unsure = len(may) > standingsMax
	}
	l.spans = append(l.spans, accountSpan{at, may, unsure})
}

// begin notes that a change is asked for of a process, which is nil if none runs.
func (l *accountLog) begin(at env.Instant, process *broker.Broker, change accountChange) {
	kept := l.pending[:0]
	for _, p := range l.pending {
		if p.sentTo == nil {
			p.sentTo = process
		}
		if process == nil || p.sentTo == process {
			kept = append(kept, p)
		}
	}
	l.pending = kept
	was := l.now()
	may := slices.Clone(was)
	for _, s := range was {
		if next, made := change(s); made && !slices.Contains(may, next) {
			may = append(may, next)
		}
	}
	l.set(at, may)
}

// end notes how it was answered. It reports false if that cannot be.
func (l *accountLog) end(at env.Instant, process *broker.Broker, change accountChange, outcome changeOutcome) bool {
	was := l.spans[len(l.spans)-2].may
	var may []standing
	switch outcome {
	case changeUnknown:
		l.pending = append(l.pending, pendingChange{change, process})
		l.set(at, l.now())
		return true
	case changeNotSent:
		may = was
	default:
		for _, s := range was {
			next, made := change(s)
			if !made {
				next = s
			}
			if made == (outcome == changeMade) && !slices.Contains(may, next) {
				may = append(may, next)
			}
		}
	}
	if len(may) == 0 {
		return l.unsure()
	}
	l.set(at, may)
	return true
}

// known notes what the account is for sure, when nothing is under way any more. It reports false if that cannot be.
func (l *accountLog) known(at env.Instant, s standing) bool {
	possible := l.unsure() || slices.Contains(l.now(), s)
	l.pending = nil
	l.spans = append(l.spans, accountSpan{at, []standing{s}, false})
	return possible
}

func (l *accountLog) unsure() bool { return l.spans[len(l.spans)-1].unsure }

// during tells whether a request with a password may have been allowed at some time between two instants, and whether it may have been denied.
func (l *accountLog) during(from, to env.Instant, password int, wishes []wish) (allowed, denied bool) {
	for i, span := range l.spans {
		if span.from > to || i+1 < len(l.spans) && l.spans[i+1].from < from {
			continue
		}
		if span.unsure {
			return true, true
		}
		for _, s := range span.may {
			if s.lets(password, wishes) {
				allowed = true
			} else {
				denied = true
			}
		}
	}
	return allowed, denied
}
