package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

// backOff says how long to wait after a broker said that it is busy.
type backOff struct{ first, max time.Duration }

// String shows both ends.
func (b backOff) String() string { return fmt.Sprintf("%s to %s", b.first, b.max) }

// delay is that after the n-th busy answer, from 1: twice as long each time, up to max. Half of it is drawn, so that
// senders who were refused together do not come back together.
func (b backOff) delay(n int, random env.Rand) time.Duration {
	whole := b.first
	for i := 1; i < n && whole < b.max; i++ {
		// Not twice as much where that would pass max: it may not be a number any more.
		whole += min(whole, b.max-whole)
	}
	if whole <= 0 {
		return 0
	}
	return whole - time.Duration(random.Uint64()%uint64(whole/2+1))
}

// isBusy reports whether a broker refused a request because it has too much to do.
func isBusy(err error) bool {
	var answer *ResponseError
	return errors.As(err, &answer) && (answer.Code == proto.RespSystemBusy || answer.Code == proto.RespFlowControl)
}

// awayFor is the pause before a broker that is away is tried again, if no other one will do.
const awayFor = 100 * time.Millisecond

// rest waits, before the next try, as long as the busy answers so far ask for, or for a broker that is away. It reports false if the send is over, or would
// be before the wait is: then there is no point in waiting.
func (p *Producer) rest(call *env.Call, s *sending, deadline env.Instant) bool {
	busy := 0
	for _, attempt := range s.attempts {
		if isBusy(attempt.Err) {
			busy++
		}
	}
	until := p.core.env.Clock.Now()
	switch {
	case s.waits:
		until = until.Add(awayFor)
	case busy == 0 || !isBusy(s.attempts[len(s.attempts)-1].Err):
		return true
	default:
		until = until.Add(p.config.backOff.delay(busy, p.random))
	}
	if deadline.Reached(until) {
		return false
	}
	p.waitUntil(call, until)
	return !p.isOver(call, deadline)
}

// waitUntil waits, but neither longer than the caller does, nor once the producer closes.
func (p *Producer) waitUntil(call *env.Call, until env.Instant) {
	for p.core.state < closing && call.Wait(p.core.stopped, until) {
	}
}
