package gantry_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
)

// A pull consumer reads from wherever it is told. It keeps no place of its own; Commit and Committed do, at the broker.
func ExampleNewPullConsumer() {
	defer standalone("orders")()
	send("orders", "3 apples", "2 pears")
	ctx := context.Background()

	c, err := gantry.NewPullConsumer(client.WithGroup("billing"), client.WithSubscription("orders", client.Tags("*")))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)
	queues, err := c.Queues(ctx, "orders")
	if err != nil {
		log.Fatal(err)
	}
	for _, queue := range queues {
		next, _, err := c.Committed(ctx, queue)
		if err != nil {
			log.Fatal(err)
		}
		pulled, err := c.Pull(ctx, queue, next, 32)
		if err != nil {
			log.Fatal(err)
		}
		for _, m := range pulled.Messages {
			fmt.Println(m.Offset, string(m.Body))
		}
		if err := c.Commit(ctx, queue, pulled.Next); err != nil {
			log.Fatal(err)
		}
		committed, _, err := c.Committed(ctx, queue)
		fmt.Println("committed:", committed, err)
	}
	// Output:
	// queue offset 0 3 apples
	// queue offset 1 2 pears
	// committed: queue offset 2 <nil>
}

// A lite pull consumer that subscribes shares the queues with its group and commits by itself. Here it does so by hand.
func ExampleLitePullConsumer_Poll() {
	defer standalone("orders")()
	send("orders", "3 apples", "2 pears", "1 plum")
	ctx := context.Background()

	c, err := gantry.NewLitePullConsumer(client.WithGroup("billing"), client.WithSubscription("orders", client.Tags("*")),
		client.WithConsumeFrom(client.FromFirst), client.WithAutoCommit(0))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)
	for count := 0; count < 3; {
		messages, err := c.Poll(ctx, 10)
		if err != nil {
			log.Fatal(err)
		}
		for _, m := range messages {
			fmt.Println(string(m.Body))
		}
		count += len(messages)
		if err := c.Commit(ctx); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// 3 apples
	// 2 pears
	// 1 plum
}

// With Assign the application chooses queues, and with Seek where to begin in them.
func ExampleLitePullConsumer_Seek() {
	defer standalone("orders")()
	send("orders", "3 apples", "2 pears", "1 plum")
	ctx := context.Background()

	c, err := gantry.NewLitePullConsumer(client.WithGroup("audit"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)
	queues, err := c.Queues(ctx, "orders")
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Assign(ctx, queues...); err != nil {
		log.Fatal(err)
	}
	for _, queue := range queues {
		if err := c.Seek(ctx, queue, 1); err != nil {
			log.Fatal(err)
		}
	}
	soon, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for m, err := range c.Messages(soon) {
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.Offset, string(m.Body))
		if m.Offset == 2 {
			break
		}
	}
	// Output:
	// queue offset 1 2 pears
	// queue offset 2 1 plum
}

// A pop consumer holds no queues: any number of members take messages side by side, and each message is one member's until it is acknowledged
// or its time is over.
func ExampleNewPopConsumer() {
	defer standalone("orders")()
	send("orders", "3 apples", "2 pears", "a whole orchard")
	ctx := context.Background()

	c, err := gantry.NewPopConsumer(client.WithGroup("billing"), client.WithSubscription("orders", client.Tags("*")),
		client.WithConsumeFrom(client.FromFirst), client.WithInvisibleTime(30*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)
	for count := 0; count < 3; {
		messages, err := c.Pop(ctx, 16)
		if err != nil {
			log.Fatal(err)
		}
		for _, m := range messages {
			if len(m.Body) > 10 {
				// This one takes its time.
				if err := c.ChangeInvisible(ctx, m, 5*time.Minute); err != nil {
					log.Fatal(err)
				}
			}
			switch err := c.Ack(ctx, m); {
			case errors.Is(err, client.ErrNotHeld):
				// It took too long: another member may have the message now.
				log.Print(err)
			case err != nil:
				log.Fatal(err)
			}
			fmt.Println(m.Offset, string(m.Body))
			count++
		}
	}
	// Output:
	// queue offset 0 3 apples
	// queue offset 1 2 pears
	// queue offset 2 a whole orchard
}

// Message traces tell who sent what, when and whereto; usually they go to RMQ_SYS_TRACE_TOPIC. Tools find them by the unique id of a message.
func ExampleProducer_traced() {
	defer standalone("orders", "traces")()
	ctx := context.Background()

	p, err := gantry.NewProducer(client.WithGroup("checkout"), client.WithTrace(client.TraceOptions{Topic: "traces"}))
	if err != nil {
		log.Fatal(err)
	}
	result, err := p.Send(ctx, gantry.NewMessage("orders", []byte("3 apples")))
	if err != nil {
		log.Fatal(err)
	}
	// Traces are sent in the background, and by Close at the latest.
	if err := p.Close(ctx); err != nil {
		log.Fatal(err)
	}

	a, err := gantry.NewAdmin()
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close(ctx)
	for {
		traces, err := a.FindByKey(ctx, client.KeyQuery{Topic: "traces", Key: result.UniqueID, Max: 1})
		if err != nil {
			log.Fatal(err)
		}
		if len(traces) > 0 {
			fmt.Printf("%.3s…\n", traces[0].Body)
			break
		}
		// The index of a broker is a little behind.
		time.Sleep(10 * time.Millisecond)
	}
	// Output: Pub…
}
