package client

// watchPulls is the task that doubts brokers which keep a pull for longer than they were asked to. One that is gone without a word answers nobody, and a member
// that sends nothing else would not notice for long.
func (c *PushConsumer) watchPulls() {
	for c.core.pause(unansweredFor) {
		now := c.core.env.Clock.Now()
		for _, a := range c.order {
			if a.askedAt > 0 && now.Sub(a.askedAt) >= c.config.holdFor+unansweredFor {
				c.core.routes.seek(a.queue.BrokerName, false)
			}
		}
	}
}
