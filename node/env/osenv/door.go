package osenv

import (
	"context"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

type door struct{ *World }

// Enter takes the baton on the caller's goroutine. If ctx can be cancelled, its
// end wakes what the call waits on.
func (d door) Enter(ctx context.Context) (*env.Call, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	deadline := env.Never
	if at, ok := ctx.Deadline(); ok {
		deadline = now().Add(time.Until(at))
	}
	if ctx.Done() == nil {
		d.baton.Lock()
		return env.NewCall(deadline, d.leave), nil
	}
	var stop func() bool
	call := env.NewCall(deadline, func(*env.Call) {
		stop()
		d.baton.Unlock()
	})
	stop = context.AfterFunc(ctx, func() {
		d.baton.Lock()
		defer d.baton.Unlock()
		call.Cancel(context.Cause(ctx))
	})
	d.baton.Lock()
	return call, nil
}
