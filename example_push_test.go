package gantry_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
)

// A handler gets messages as they come, up to 20 at once. What fails comes again later.
func ExampleNewPushConsumer() {
	defer standalone("orders")()
	send("orders", "3 apples", "2 pears", "?")
	ctx := context.Background()

	bodies := make(chan string, 2)
	c, err := gantry.NewPushConsumer(
		client.WithGroup("billing"), client.WithSubscription("orders", client.Tags("*")), client.WithConsumeFrom(client.FromFirst),
		client.WithHandler(func(_ context.Context, messages []*gantry.Received) error {
			for _, m := range messages {
				if string(m.Body) == "?" {
					// It will never be good: off to the dead-letter topic.
					return fmt.Errorf("%s makes no sense: %w", m, client.Reject)
				}
				bodies <- string(m.Body)
			}
			return nil
		}))
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	got := []string{<-bodies, <-bodies}
	slices.Sort(got)
	fmt.Println(got)

	// Close waits for handlers, but not for ever.
	patience, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := c.Close(patience); err != nil {
		log.Print(err)
	}
	// Output: [2 pears 3 apples]
}

// Messages of one queue come in the order in which they were stored, one at a time in the whole group.
func ExampleNewPushConsumer_inOrder() {
	defer standalone("orders")()
	send("orders", "placed", "paid", "shipped")
	ctx := context.Background()

	steps := make(chan string, 9)
	tries := 0
	c, err := gantry.NewPushConsumer(
		client.WithGroup("shipping"), client.WithSubscription("orders", client.Tags("*")), client.WithConsumeFrom(client.FromFirst),
		client.WithMaxRedeliveries(10),
		client.WithOrderlyHandler(func(_ context.Context, messages []*gantry.Received) error {
			if tries++; tries == 2 {
				// The queue waits for this message.
				return fmt.Errorf("the till is closed: %w", client.SuspendFor(20*time.Millisecond))
			}
			steps <- string(messages[0].Body)
			return nil
		}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-steps, <-steps, <-steps)
	// Output: placed paid shipped
}

// Without a handler, a consumer is a loop. A message is consumed when the loop asks for the next one.
func ExamplePushConsumer_Messages() {
	defer standalone("orders")()
	send("orders", "3 apples", "2 pears")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	c, err := gantry.NewPushConsumer(client.WithGroup("billing"), client.WithSubscription("orders", client.Tags("*")),
		client.WithConsumeFrom(client.FromFirst))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(context.Background())
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	count := 0
	for m, err := range c.Messages(ctx) {
		if err != nil {
			break // ctx has ended
		}
		if string(m.Body) == "?" {
			m.Fail(errors.New("it makes no sense")) // it comes again later
			continue
		}
		fmt.Println(m.Offset, string(m.Body))
		if count++; count == 2 {
			break
		}
	}
	// Output:
	// queue offset 0 3 apples
	// queue offset 1 2 pears
}

// In broadcasting every member gets every message. Members on one machine need instance names: their offsets are in files of these
// names.
func ExampleNewPushConsumer_broadcasting() {
	defer standalone("prices")()
	send("prices", "apples cost 2.50")
	ctx := context.Background()

	heard := make(chan string, 2)
	for _, till := range []string{"left", "right"} {
		c, err := gantry.NewPushConsumer(client.WithGroup("tills"), client.WithInstanceName(till), client.WithModel(client.Broadcasting),
			client.WithSubscription("prices", client.Tags("*")), client.WithConsumeFrom(client.FromFirst),
			client.WithHandler(func(_ context.Context, messages []*gantry.Received) error {
				heard <- fmt.Sprintf("%s: %s", till, messages[0].Body)
				return nil
			}))
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close(ctx)
		if err := c.Start(ctx); err != nil {
			log.Fatal(err)
		}
	}
	all := []string{<-heard, <-heard}
	slices.Sort(all)
	fmt.Printf("%q\n", all)
	// Output: ["left: apples cost 2.50" "right: apples cost 2.50"]
}

// A filter in SQL looks at properties. Brokers evaluate it.
func ExampleNewPushConsumer_sql() {
	defer standalone("orders")()
	ctx := context.Background()

	p, err := gantry.NewProducer(client.WithGroup("checkout"))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close(ctx)
	for _, count := range []string{"3", "40", "500"} {
		m := gantry.NewMessage("orders", []byte(count+" apples"), client.Property("count", count), client.Property("region", "north"))
		if _, err := p.Send(ctx, m); err != nil {
			log.Fatal(err)
		}
	}

	large := make(chan string, 3)
	c, err := gantry.NewPushConsumer(client.WithGroup("wholesale"), client.WithConsumeFrom(client.FromFirst),
		client.WithSubscription("orders", client.SQL("count > 30 AND region IN ('north', 'south')")),
		client.WithOrderlyHandler(func(_ context.Context, messages []*gantry.Received) error {
			large <- string(messages[0].Body)
			return nil
		}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-large)
	fmt.Println(<-large)
	// Output:
	// 40 apples
	// 500 apples
}
