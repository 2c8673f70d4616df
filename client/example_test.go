package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
)

// Who asks needs a producer only: the reply comes to its connections.
func ExampleProducer_Request() {
	ctx := context.Background()
	p, err := gantry.NewProducer(client.WithGroup("shops"), client.WithNameServers("127.0.0.1:9876"))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close(ctx)
	reply, err := p.Request(ctx, gantry.NewMessage("prices", []byte("apples")), 3*time.Second)
	switch {
	case errors.Is(err, client.ErrNoReply):
		fmt.Println("the question was stored, but nobody has answered in time")
	case err != nil:
		log.Fatal(err)
	default:
		fmt.Printf("apples cost %s\n", reply.Body)
	}
}

// A handler answers over the connections of its own consumer.
func ExamplePushConsumer_Reply() {
	ctx := context.Background()
	var consumer *client.PushConsumer
	consumer, err := gantry.NewPushConsumer(client.WithGroup("prices"), client.WithNameServers("127.0.0.1:9876"),
		client.WithSubscription("prices", client.Tags("*")),
		client.WithHandler(func(ctx context.Context, messages []*client.Received) error {
			_, err := consumer.Reply(ctx, messages[0], []byte("2.50"))
			return err
		}))
	if err != nil {
		log.Fatal(err)
	}
	if err := consumer.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer consumer.Close(ctx)
}
