package gantry_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"time"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
)

func Example() {
	ctx := context.Background()
	p, err := gantry.NewProducer(client.WithGroup("checkout"), client.WithNameServers("127.0.0.1:9876"))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close(ctx)
	result, err := p.Send(ctx, gantry.NewMessage("orders", []byte("3 apples"), client.Tag("paid")))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Status, result.Queue, result.QueueOffset)
}

func ExampleNewMessage() {
	m := gantry.NewMessage("orders", []byte("3 apples"),
		client.Tag("paid"), client.Keys("order-17", "customer-4"), client.Property("colour", "red"))
	fmt.Println(m)
	fmt.Println(m.Tags(), m.Keys(), m.Properties.Get("colour"))
	// Output:
	// message for orders: 8 body bytes, 3 properties
	// paid [order-17 customer-4] red
}

// The name servers come from the environment variable NAMESRV_ADDR if no option names them.
func ExampleNewProducer() {
	ctx := context.Background()
	p, err := gantry.NewProducer(client.WithGroup("checkout"), client.WithSelector(client.SelectByOrderingKey))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close(ctx)

	// Messages of one order stay in order: they go to one queue.
	for _, step := range []string{"placed", "paid", "shipped"} {
		_, err := p.Send(ctx, gantry.NewMessage("orders", []byte(step), client.OrderingKey("order-17")))
		var failed *client.SendError
		if errors.As(err, &failed) && failed.MaybeStored {
			log.Printf("perhaps stored, perhaps not: %v", err)
		} else if err != nil {
			log.Fatal(err)
		}
	}
}

func ExampleProducer_inTheBackground() {
	ctx := context.Background()
	p, err := gantry.NewProducer(client.WithGroup("metrics"), client.WithWindow(1000, 64<<20))
	if err != nil {
		log.Fatal(err)
	}
	for i := range 1_000_000 {
		m := gantry.NewMessage("samples", fmt.Appendf(nil, "%d", i))
		// SendAsync waits while the window is full.
		err := p.SendAsync(ctx, m, func(_ gantry.SendResult, err error) {
			if err != nil {
				log.Print(err)
			}
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	// Close waits for what is under way.
	if err := p.Close(ctx); err != nil {
		log.Fatal(err)
	}
}

func ExampleNewPushConsumer() {
	ctx := context.Background()
	c, err := gantry.NewPushConsumer(
		client.WithGroup("billing"), client.WithSubscription("orders", client.Tags("paid || refunded")),
		client.WithHandler(func(_ context.Context, messages []*gantry.Received) error {
			for _, m := range messages {
				if len(m.Body) == 0 {
					// It will never be good: off to the dead-letter topic.
					return fmt.Errorf("%s is empty: %w", m, client.Reject)
				}
				fmt.Println(m.Queue, m.Offset, string(m.Body))
			}
			return nil
		}))
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	interrupted, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	<-interrupted.Done()

	// Close waits for handlers, but not for ever.
	patience, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := c.Close(patience); err != nil {
		log.Print(err)
	}
}

// Messages of one queue come in the order in which they were stored, one at a time in the whole group.
func ExampleNewPushConsumer_inOrder() {
	ctx := context.Background()
	c, err := gantry.NewPushConsumer(
		client.WithGroup("shipping"), client.WithSubscription("orders", client.Tags("*")), client.WithMaxRedeliveries(10),
		client.WithOrderlyHandler(func(_ context.Context, messages []*gantry.Received) error {
			if err := ship(messages[0]); err != nil {
				// The queue waits for this message.
				return fmt.Errorf("%w: %w", err, client.SuspendFor(3*time.Second))
			}
			return nil
		}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	select {}
}

func ship(*gantry.Received) error { return nil }

// Without a handler, a consumer is a loop. A message is consumed when the loop asks for the next one.
func ExamplePushConsumer_Messages() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c, err := gantry.NewPushConsumer(client.WithGroup("billing"), client.WithSubscription("orders", client.Tags("*")))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(context.Background())
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	for m, err := range c.Messages(ctx) {
		if err != nil {
			break // the user has interrupted
		}
		if err := ship(m.Received); err != nil {
			m.Fail(err) // it comes again later
		}
	}
}

func ExampleNewPullConsumer() {
	ctx := context.Background()
	c, err := gantry.NewPullConsumer(client.WithGroup("billing"), client.WithSubscription("orders", client.Tags("paid || refunded")))
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
			fmt.Println(m.Offset, m.Tags(), string(m.Body))
		}
		if err := c.Commit(ctx, queue, pulled.Next); err != nil {
			log.Fatal(err)
		}
	}
}

func ExampleNewAdmin() {
	ctx := context.Background()
	a, err := gantry.NewAdmin(client.WithNameServers("127.0.0.1:9876"))
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close(ctx)
	topic := client.TopicConfig{Name: "orders", ReadQueues: 8, WriteQueues: 8, Perm: proto.PermReadWrite}
	brokers, err := a.UpdateTopicInCluster(ctx, "DefaultCluster", topic)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("created at", brokers)
}

func ExampleHTTPResolver() {
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "10.0.0.1:9876;10.0.0.2:9876")
	}))
	defer endpoint.Close()
	list, err := gantry.HTTPResolver{URL: endpoint.URL}.Resolve()
	fmt.Println(list, err)
	// Output: [10.0.0.1:9876;10.0.0.2:9876] <nil>
}

func ExampleEndpointURL() {
	fmt.Println(gantry.EndpointURL("names.example", "nsaddr", ""))
	fmt.Println(gantry.EndpointURL("names.example:80", "nsaddr", "blue"))
	// Output:
	// http://names.example:8080/rocketmq/nsaddr
	// http://names.example:80/rocketmq/nsaddr-blue?nofix=1
}
