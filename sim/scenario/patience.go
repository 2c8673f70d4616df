package scenario

import (
	"errors"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
)

// sendFor is the time that a send has.
const sendFor = 2 * time.Second

// patient fails the run if a send that may try again has given up early though the only broker was away, and nothing can have been stored: brokers that are
// started again, and groups that elect, are back soon.
func (p *pubsub) patient(err error) {
	var failed *client.SendError
	if len(p.cluster.Groups) > 1 || !errors.As(err, &failed) || failed.MaybeStored || failed.Took > sendFor/2 {
		return
	}
	if len(failed.Attempts) == 0 && !errors.Is(failed.Err, client.ErrNoBroker) {
		return
	}
	for _, attempt := range failed.Attempts {
		if !isAway(attempt.Err) {
			return
		}
	}
	p.failSafety("a send gave up after %s of %s though its broker was only away: %v", failed.Took, sendFor, failed)
}

// isAway reports whether a try found the broker gone, or about to go.
func isAway(err error) bool {
	var answer *client.ResponseError
	if errors.As(err, &answer) {
		return answer.Code == proto.RespServiceNotAvailable
	}
	return errors.Is(err, client.ErrNotSent) || errors.Is(err, client.ErrNoBroker)
}
