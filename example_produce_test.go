package gantry_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
)

// Send waits until a broker has stored the message. The name servers come from the environment variable NAMESRV_ADDR if no option
// names them.
func ExampleProducer_Send() {
	defer standalone("orders")()
	ctx := context.Background()

	p, err := gantry.NewProducer(client.WithGroup("checkout"))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close(ctx)
	result, err := p.Send(ctx, gantry.NewMessage("orders", []byte("3 apples"), client.Tag("paid"), client.Keys("order-17")))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Status, result.Queue, result.QueueOffset)
	// Output: SEND_OK orders@broker-a:0 queue offset 0
}

// SendAsync does not wait for the answer, but for room in the window, see client.WithWindow.
func ExampleProducer_SendAsync() {
	defer standalone("samples")()
	ctx := context.Background()

	p, err := gantry.NewProducer(client.WithGroup("metrics"))
	if err != nil {
		log.Fatal(err)
	}
	stored := make(chan gantry.SendResult, 3)
	for i := range 3 {
		err := p.SendAsync(ctx, gantry.NewMessage("samples", fmt.Appendf(nil, "%d", i)), func(result gantry.SendResult, err error) {
			if err != nil {
				log.Fatal(err)
			}
			stored <- result
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	// Close waits for what is under way.
	if err := p.Close(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(stored), "are stored")
	// Output: 3 are stored
}

// SendOneway neither waits for an answer nor gets one: the message may be lost.
func ExampleProducer_SendOneway() {
	defer standalone("clicks")()
	ctx := context.Background()

	p, err := gantry.NewProducer(client.WithGroup("web"))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close(ctx)
	err = p.SendOneway(ctx, gantry.NewMessage("clicks", []byte("the red button")))
	fmt.Println(err)
	// Output: <nil>
}

// SendBatch sends messages of one topic together: all of them are stored, or none.
func ExampleProducer_SendBatch() {
	defer standalone("orders")()
	ctx := context.Background()

	p, err := gantry.NewProducer(client.WithGroup("checkout"))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close(ctx)
	results, err := p.SendBatch(ctx, []*gantry.Message{
		gantry.NewMessage("orders", []byte("3 apples")),
		gantry.NewMessage("orders", []byte("2 pears")),
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, result := range results {
		fmt.Println(result.Status, result.QueueOffset)
	}
	// Output:
	// SEND_OK queue offset 0
	// SEND_OK queue offset 1
}

// Messages with the same ordering key go to the same queue, where they stay in order. Any other choice is a function.
func ExampleNewProducer_inOrder() {
	defer standalone("orders")()
	ctx := context.Background()

	p, err := gantry.NewProducer(client.WithGroup("checkout"), client.WithSelector(client.SelectByOrderingKey))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close(ctx)
	for _, step := range []string{"placed", "paid", "shipped"} {
		result, err := p.Send(ctx, gantry.NewMessage("orders", []byte(step), client.OrderingKey("order-17")))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(step, result.Queue, result.QueueOffset)
	}
	// Output:
	// placed orders@broker-a:0 queue offset 0
	// paid orders@broker-a:0 queue offset 1
	// shipped orders@broker-a:0 queue offset 2
}

// A message with a delay level is delivered later: brokers have a table of levels, which usually begins with 1s 5s 10s.
func ExampleNewMessage_delayed() {
	defer standalone("reminders")()
	ctx := context.Background()

	p, err := gantry.NewProducer(client.WithGroup("calendar"))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close(ctx)
	sentAt := time.Now()
	if _, err := p.Send(ctx, gantry.NewMessage("reminders", []byte("water the plants"), client.DelayLevel(1))); err != nil {
		log.Fatal(err)
	}

	c, err := gantry.NewLitePullConsumer(client.WithGroup("phone"), client.WithSubscription("reminders", client.Tags("*")),
		client.WithConsumeFrom(client.FromFirst))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)
	messages, err := c.Poll(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	// The server of this example has a level 1 of 100 ms.
	fmt.Println(string(messages[0].Body), time.Since(sentAt) >= 100*time.Millisecond)
	// Output: water the plants true
}

// A message may also wait for a time of its own, up to three days, and be withdrawn before that.
func ExampleProducer_Recall() {
	defer standalone("reminders")()
	ctx := context.Background()

	p, err := gantry.NewProducer(client.WithGroup("calendar"))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close(ctx)
	sent, err := p.Send(ctx, gantry.NewMessage("reminders", []byte("the dentist"), client.DelayFor(time.Hour)))
	if err != nil {
		log.Fatal(err)
	}
	// The appointment is cancelled.
	id, err := p.Recall(ctx, "reminders", sent.RecallHandle)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(id == sent.UniqueID)
	// Output: true
}

// Request waits for the reply of the consumer that handles the message.
func ExampleProducer_Request() {
	defer standalone("prices")()
	ctx := context.Background()

	var shop *gantry.PushConsumer
	shop, err := gantry.NewPushConsumer(client.WithGroup("shop"), client.WithSubscription("prices", client.Tags("*")),
		client.WithHandler(func(ctx context.Context, messages []*gantry.Received) error {
			_, err := shop.Reply(ctx, messages[0], []byte("2.50"))
			return err
		}))
	if err != nil {
		log.Fatal(err)
	}
	defer shop.Close(ctx)
	if err := shop.Start(ctx); err != nil {
		log.Fatal(err)
	}

	// Who asks needs a producer only: the reply comes to its connections.
	p, err := gantry.NewProducer(client.WithGroup("customers"))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close(ctx)
	reply, err := p.Request(ctx, gantry.NewMessage("prices", []byte("apples")), 10*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("apples cost %s\n", reply.Body)
	// Output: apples cost 2.50
}
