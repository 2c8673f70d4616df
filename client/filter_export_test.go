package client

import "context"

// CheckFilters is the check that a start makes, for tests.
func (c *PullConsumer) CheckFilters(ctx context.Context) error {
	call, err := c.core.enter(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	return c.checkFilters(call, c.core.deadline(call, c.config.requestTimeout))
}
