package client_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// batchBytes is what a batch of messages that have unique ids takes, put together by the encoder itself.
func batchBytes(messages ...*client.Message) int {
	var body []byte
	for _, m := range messages {
		properties, err := m.Properties.Append(nil)
		must(err)
		body, err = message.AppendBatchElement(body, &message.BatchElement{Body: m.Body, Properties: properties})
		must(err)
	}
	return len(body)
}

func identified(body int) *client.Message {
	return client.NewMessage("orders", bytes.Repeat([]byte("x"), body), client.Property("UNIQ_KEY", strings.Repeat("F", 32)))
}

func pieces(messages []*client.Message, limit int) (all [][]*client.Message, errs []error) {
	for piece, err := range client.SplitBatches(messages, limit) {
		all, errs = append(all, piece), append(errs, err)
	}
	return all, errs
}

func TestPropThePiecesOfABatchAreAsLargeAsTheLimitAllows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var messages []*client.Message
		for range rapid.IntRange(0, 20).Draw(t, "messages") {
			m := identified(rapid.IntRange(0, 100).Draw(t, "body"))
			m.SetTags(rapid.StringMatching("[a-z]{0,9}").Draw(t, "tag"))
			messages = append(messages, m)
		}
		limit := rapid.IntRange(0, 600).Draw(t, "limit")
		all, errs := pieces(messages, limit)
		require.Equal(t, messages, slices.Concat(all...), "nothing is lost, and the order is kept")
		for i, piece := range all {
			if errs[i] != nil {
				require.ErrorIs(t, errs[i], client.ErrMessage)
				require.Len(t, piece, 1)
				require.Greater(t, batchBytes(piece[0]), limit)
				continue
			}
			require.LessOrEqual(t, batchBytes(piece...), limit)
			if i+1 < len(all) {
				require.Greater(t, batchBytes(append(slices.Clone(piece), all[i+1][0])...), limit, "the next one did not fit")
			}
		}
	})
}

// A message of 100 bytes with a unique id takes 22 + 100 + len("UNIQ_KEY\x01" + 32 + "\x02") = 164.
func TestABatchThatFillsTheLimitToTheLastByteIsOnePieceAndIsSent(t *testing.T) {
	messages := []*client.Message{identified(100), identified(100), identified(100)}
	all, errs := pieces(messages, 3*164)
	require.Len(t, all, 1)
	require.NoError(t, errs[0])
	all, _ = pieces(messages, 3*164-1)
	require.Len(t, all, 2)
	require.Len(t, all[0], 2)

	c := newCluster(t, 1)
	var whole, more error
	c.run(time.Second, func() {
		_, whole = c.producer(client.WithMaxMessageSize(3*164)).SendBatch(background, messages)
		_, more = c.producer(client.WithMaxMessageSize(3*164-1)).SendBatch(background, messages)
	})
	require.NoError(t, whole)
	require.ErrorIs(t, more, client.ErrMessage)
	require.Len(t, c.sends(), 1)
	require.Len(t, c.sends()[0].body, 3*164)
}

func TestPiecesOfMessagesWithoutUniqueIDsAreSentToo(t *testing.T) {
	c := newCluster(t, 1)
	var messages []*client.Message
	for i := range 50 {
		messages = append(messages, client.NewMessage("orders", make([]byte, 1+i)))
	}
	c.run(time.Minute, func() {
		p := c.producer(client.WithMaxMessageSize(500))
		for piece, err := range client.SplitBatches(messages, 500) {
			must(err)
			_, err = p.SendBatch(background, piece)
			must(err)
		}
	})
	require.Greater(t, len(c.sends()), 10)
}

func TestAMessageThatIsTooLargeAloneDoesNotStopTheOthers(t *testing.T) {
	messages := []*client.Message{identified(10), identified(500), nil, identified(10)}
	all, errs := pieces(messages, 300)
	require.Equal(t, [][]*client.Message{messages[:1], messages[1:2], messages[2:3], messages[3:]}, all)
	require.NoError(t, errs[0])
	require.ErrorContains(t, errs[1], "message 1 of 4")
	require.ErrorContains(t, errs[1], "564 bytes of a batch (500 of body, 42 of properties), at most 300")
	require.ErrorIs(t, errs[2], client.ErrMessage)
	require.NoError(t, errs[3])

	for range client.SplitBatches(messages, 300) {
		break
	}
	all[0] = append(all[0], nil)
	require.NotNil(t, messages[1], "a piece cannot grow into the next one")
}

func TestNoPieceHasMoreMessagesThanAQueueOfBatchesCounts(t *testing.T) {
	messages := slices.Repeat([]*client.Message{identified(1)}, 32_768)
	all, errs := pieces(messages, 1<<30)
	require.Len(t, all, 2)
	require.Len(t, all[0], 32_767)
	require.NoError(t, errs[1])
}
