package client

import (
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap"
)

// noticesMax is how many calls of listeners may wait for their turn.
const noticesMax = 1024

// notify calls a function of the application, after those before it, on a task of its own: a listener may be slow, and may call this
// package.
func (c *PushConsumer) notify(what string, listener func()) {
	if c.core.state != open {
		return
	}
	if c.notices == nil {
		c.notices = env.NewQueue[func()](c.core.env.Tasks, noticesMax)
		// Not a task of the core: a listener that does not return must not hold up Close for ever.
		c.core.env.Tasks.Go("call listeners", c.listenLoop)
	}
	taken := c.notices.TryPush(func() {
		if panicked := contained(listener); panicked != nil {
			c.core.env.Log.Error("a listener panicked", zap.String("about", what), zap.Error(panicked))
		}
	})
	if !taken {
		c.core.env.Log.Warn("a listener is too slow: it does not hear of a change", zap.String("about", what))
	}
}

// listenLoop is the task that calls listeners, until Close begins. A call under way holds up Close as one of a handler does.
func (c *PushConsumer) listenLoop() {
	for {
		call, ok := c.notices.Pop()
		if !ok || c.core.state != open {
			return
		}
		c.working++
		c.core.env.Tasks.Offload(call)
		c.oneLess()
	}
}

// tellQueues tells the listener which queues of a topic are held now.
func (c *PushConsumer) tellQueues(topic string) {
	if c.push.listener == nil {
		return
	}
	var all, held []Queue
	if t := c.core.routes.topics[topic]; t != nil {
		all = slices.SortedFunc(slices.Values(t.subscribe), Queue.Compare)
	}
	for _, a := range c.order {
		if a.queue.Topic == topic {
			held = append(held, a.queue)
		}
	}
	space := c.config.space
	c.notify("queues of "+topic, func() { c.push.listener(space.bare(topic), space.bareQueues(all), space.bareQueues(held)) })
}
