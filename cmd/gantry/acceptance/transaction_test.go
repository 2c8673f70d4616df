package acceptance_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

func TestEndToEndATransactionIsSeenWhenItsWorkIsDone(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "transaction", 1)
	consumer := c.consume(t, topic, topic)
	p := c.producer(t)
	result, err := p.Transaction(background, client.NewMessage(topic, []byte("paid")), func(*client.Tx) error {
		time.Sleep(300 * time.Millisecond)
		require.Empty(t, consumer.deliveries(), "the work is not done")
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, client.TransactionCommitted, result.State)
	bad := errors.New("no money")
	result, err = p.Transaction(background, client.NewMessage(topic, []byte("unpaid")), func(*client.Tx) error { return bad })
	require.ErrorIs(t, err, bad)
	require.Equal(t, client.TransactionRolledBack, result.State)
	soon(t, func() bool { return len(consumer.deliveries()) == 1 }, "the message does not come")
	time.Sleep(300 * time.Millisecond)
	require.Equal(t, "paid", string(consumer.one(t).Body))
}

// The producer's process dies in the middle of a transaction; the next one is asked, and so is the broker's next process.
func TestEndToEndTheNextProducerIsAskedWhatBecameOfATransaction(t *testing.T) {
	endToEnd(t)
	c := own(t, "--transactionTimeOut", "500", "--transactionCheckInterval", "500")
	topic := c.topic(t, "orphan", 1)
	first := c.producer(t, client.WithGroup("bank"))
	for _, body := range []string{"keep", "drop"} {
		tx, err := first.Begin(background, client.NewMessage(topic, []byte(body)))
		require.NoError(t, err)
		tx.Leave(background)
	}
	require.NoError(t, first.Close(background))
	c.nodes["broker-a"].Kill()
	require.NoError(t, c.startBroker("broker-a"))
	require.NoError(t, c.connect())
	second := c.producer(t, client.WithGroup("bank"), client.WithTransactionListener(func(_ context.Context, m *client.Received) client.TransactionState {
		if string(m.Body) == "keep" {
			return client.TransactionCommitted
		}
		return client.TransactionRolledBack
	}, topic))
	send(t, second, client.NewMessage(c.topic(t, "other", 1), []byte("x")))
	require.Equal(t, "keep", string(c.consume(t, "orphan", topic).one(t).Body))
}
