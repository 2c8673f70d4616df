package gantry_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

// What README.md shows of single features stands in these examples, line by line; so it is run.

func Example_later() {
	defer standalone("reminders")()
	ctx := context.Background()
	producer := must(gantry.NewProducer(client.WithGroup("calendar")))
	defer producer.Close(ctx)

	due := time.Now().Add(200 * time.Millisecond)
	if _, err := producer.Send(ctx, gantry.NewMessage("reminders", []byte("tea"), client.DeliverAt(due))); err != nil {
		log.Panic(err)
	}
	sent, err := producer.Send(ctx, gantry.NewMessage("reminders", []byte("the dentist"), client.DelayFor(time.Hour)))
	if err != nil {
		log.Panic(err)
	}
	_, err = producer.Recall(ctx, "reminders", sent.RecallHandle) // from now on nobody will get it
	if err != nil {
		log.Panic(err)
	}

	c := must(gantry.NewLitePullConsumer(client.WithGroup("phone"), client.WithSubscription("reminders", client.Tags("*")), client.WithConsumeFrom(client.FromFirst)))
	defer c.Close(ctx)
	messages := must(c.Poll(ctx, 1))
	fmt.Println(string(messages[0].Body), !time.Now().Before(due))
	// Output: tea true
}

func Example_transaction() {
	defer standalone("payments")()
	ctx := context.Background()
	order := "17"
	book := func(ctx context.Context, order, transaction string) error { return nil }
	known := func(transaction string) bool { return true }

	producer, err := gantry.NewProducer(client.WithGroup("checkout"),
		client.WithTransactionListener(func(ctx context.Context, m *gantry.Received) client.TransactionState {
			// Asked by the broker when nobody has told how a transaction has ended, perhaps after a crash.
			if known(m.TransactionID) {
				return client.TransactionCommitted
			}
			return client.TransactionRolledBack
		}, "payments"))
	if err != nil {
		log.Panic(err)
	}
	defer producer.Close(ctx)
	result, err := producer.Transaction(ctx, gantry.NewMessage("payments", []byte(order)), func(tx *client.Tx) error {
		return book(ctx, order, tx.ID()) // consumers see the message if this returns nil, and never otherwise
	})

	fmt.Println(result.State, err)
	// Output: COMMIT_MESSAGE <nil>
}

func Example_pop() {
	defer standalone("orders")()
	send("orders", "3 apples")
	ctx := context.Background()
	work := func(m *client.PoppedMessage) bool { fmt.Println(string(m.Body)); return true }

	consumer, err := gantry.NewPopConsumer(client.WithGroup("billing"), client.WithSubscription("orders", client.Tags("*")),
		client.WithConsumeFrom(client.FromFirst), client.WithInvisibleTime(time.Minute))
	if err != nil {
		log.Panic(err)
	}
	defer consumer.Close(ctx)
	messages, err := consumer.Pop(ctx, 16) // hidden from the rest of the group for a minute
	if err != nil {
		log.Panic(err)
	}
	for _, m := range messages {
		if work(m) {
			err = consumer.Ack(ctx, m) // it does not come again
		} else {
			err = consumer.ChangeInvisible(ctx, m, 10*time.Second) // it comes again then
		}
	}

	fmt.Println(err)
	// Output:
	// 3 apples
	// <nil>
}

func Example_exactlyOnce() {
	defer standalone("orders")()
	ctx := context.Background()

	producer, err := gantry.NewProducer(client.WithGroup("checkout"), client.WithTryTimeout(500*time.Millisecond))
	if err != nil {
		log.Panic(err)
	}
	defer producer.Close(ctx)
	result, err := producer.Send(ctx, gantry.NewMessage("orders", []byte("3 apples")))
	if err != nil {
		log.Panic(err)
	}
	fmt.Println(result.Status) // whatever result.Tries says, the message is in its queue once

	// Output: SEND_OK
}

func TestTheFeaturesThatTheReadmeShowsAreRunAsExamples(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	examples, err := os.ReadFile("example_features_test.go")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n## Beyond sending and receiving\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)\n```go\n(.*?)```\n").FindAllStringSubmatch(section, -1)
	require.GreaterOrEqual(t, len(blocks), 4)
	for _, block := range blocks {
		indented := regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(strings.ReplaceAll(block[1], "return err\n", "log.Panic(err)\n"), "\t$1")
		require.Contains(t, string(examples), indented)
	}
}
