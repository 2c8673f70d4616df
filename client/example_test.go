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

// The order is paid for in a database, and the message goes out if, and only if, it is. The id of the transaction is stored with the order, so that the
// listener can tell, in whatever process it runs.
func ExampleProducer_Transaction() {
	ctx := context.Background()
	pay := func(transaction string) error { return nil }                // one transaction of the database
	paid := func(transaction string) (bool, error) { return true, nil } // asks the database
	listener := func(_ context.Context, half *client.Received) client.TransactionState {
		switch done, err := paid(half.TransactionID); {
		case err != nil:
			return client.TransactionUnknown
		case done:
			return client.TransactionCommitted
		}
		return client.TransactionRolledBack
	}
	p, err := gantry.NewProducer(client.WithGroup("checkout"), client.WithNameServers("127.0.0.1:9876"),
		client.WithTransactionListener(listener, "orders"))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close(ctx)
	result, err := p.Transaction(ctx, gantry.NewMessage("orders", []byte("17")), func(tx *gantry.Tx) error { return pay(tx.ID()) })
	switch {
	case errors.Is(err, client.ErrTransactionUnknown):
		fmt.Println("the broker will ask the listener:", err)
	case err != nil:
		fmt.Println("it was not paid, and no message goes out:", err)
	default:
		fmt.Println("paid, and the message is on its way:", result.Sent.UniqueID)
	}
}

// Begin is for code that does not fit into a function.
func ExampleProducer_Begin() {
	ctx := context.Background()
	p, err := gantry.NewProducer(client.WithGroup("checkout"), client.WithNameServers("127.0.0.1:9876"))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close(ctx)
	tx, err := p.Begin(ctx, gantry.NewMessage("orders", []byte("17")))
	if err != nil {
		log.Fatal(err)
	}
	if err := tx.Commit(ctx); err != nil {
		fmt.Println("it is not known whether", tx.ID(), "is committed:", err)
	}
}
