//go:build interop

package interop_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// noise is what no compression makes smaller.
func noise(bytes int) []byte {
	random := rand.NewChaCha8([32]byte{1})
	body := make([]byte, bytes)
	// It never fails.
	_, _ = random.Read(body)
	return body
}

// assortment is one message of each kind that a client has its own way with.
func assortment(topic string) []order {
	return []order{
		{Topic: topic, Tag: "plain", Body: []byte("hello")},
		{Topic: topic, Tag: "keyed", Keys: []string{"order-17", "customer-4"}, Body: []byte("two keys")},
		{Topic: topic, Tag: "properties", Properties: map[string]string{"colour": "red", "größe": "übergroß 大"}, Body: []byte("two properties")},
		{Topic: topic, Tag: "größe", Keys: []string{"schlüssel"}, Body: []byte("text beyond ASCII: 大")},
		{Topic: topic, Tag: "bytes", Body: []byte{0, 1, 2, 0xff, 0xfe, '\n', '"'}},
		{Topic: topic, Tag: "below", Body: []byte(strings.Repeat("y", 4095))},
		{Topic: topic, Tag: "compressed", Keys: []string{"large"}, Body: []byte(strings.Repeat("compressible ", 8000))},
		{Topic: topic, Tag: "noise", Body: noise(100_000)},
	}
}

func small(topic string, count int) []order {
	orders := make([]order, count)
	for i := range orders {
		orders[i] = order{Topic: topic, Tag: "small", Keys: []string{fmt.Sprint("key-", i)}, Body: fmt.Appendf(nil, "message %d", i)}
	}
	return orders
}

func TestOurConsumerReadsWhatTheySend(t *testing.T) {
	withEachPeer(t, testTheirsToOurs, rowSync, rowProperties, rowZlib)
}

func testTheirsToOurs(t *testing.T, p *peer) {
	c := startCluster(t, 1)
	c.makeTopic(t, "theirs", 4)
	producer := p.producer(t, c.settings("their-producers"))
	orders := append(assortment("theirs"), small("theirs", 1000)...)
	outcomes := producer.mustSend(t, orders...)
	producer.finish(t)

	stored := c.stored(t, "theirs")
	require.Len(t, stored, len(orders))
	for i, o := range outcomes {
		require.Contains(t, stored, o.slot())
		requireAsOrdered(t, orders[i], o, stored[o.slot()])
	}
	require.NotZero(t, stored[outcomes[6].slot()].SysFlags&message.FlagCompressed, "%s compresses", p.name)
}

// requireAsOrdered compares what our library reads with what the peer was told to send, and with
// what the peer says of it.
func requireAsOrdered(t *testing.T, wanted order, said outcome, read *gantry.Received) {
	t.Helper()
	require.Equal(t, wanted.Body, read.Body)
	require.Equal(t, wanted.Tag, read.Tags())
	if len(wanted.Keys) > 0 {
		require.Equal(t, wanted.Keys, read.Keys())
	}
	for name, value := range wanted.Properties {
		require.Equal(t, value, read.Properties.Get(name))
	}
	require.Equal(t, said.OffsetID, read.OffsetID.String())
	if said.UniqueID != "" {
		require.Equal(t, said.UniqueID, read.UniqueID())
	}
	require.NotEmpty(t, read.UniqueID(), "the broker names what its sender does not")
	require.Zero(t, read.Redeliveries)
}

func TestOurAdminFindsWhatTheySendByItsOffset(t *testing.T) { withEachPeer(t, testViewMessage) }

func testViewMessage(t *testing.T, p *peer) {
	c := startCluster(t, 1)
	c.makeTopic(t, "theirs", 4)
	producer := p.producer(t, c.settings("their-producers"))
	said := producer.mustSend(t, order{Topic: "theirs", Tag: "seen", Body: []byte("look at me")})[0]
	id, err := message.ParseOffsetID(said.OffsetID)
	require.NoError(t, err)
	admin, err := gantry.NewAdmin(client.WithNameServers(c.addresses...))
	require.NoError(t, err)
	closeAtEnd(t, admin)
	seen, err := admin.ViewMessage(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "look at me", string(seen.Body))
	require.Equal(t, said.Offset, int64(seen.Offset))
	require.Equal(t, said.OffsetID, seen.OffsetID.String())
	producer.finish(t)
}

func TestTheirMessagesMayHaveNoTag(t *testing.T) { withEachPeer(t, testUntagged) }

func testUntagged(t *testing.T, p *peer) {
	c := startCluster(t, 1)
	c.makeTopic(t, "theirs", 1)
	producer := p.producer(t, c.settings("their-producers"))
	said := producer.mustSend(t, order{Topic: "theirs", Body: []byte("no tag")})[0]
	require.Equal(t, p.untagged, c.stored(t, "theirs")[said.slot()].Tags())
	producer.finish(t)
}

func TestRefusalsReachTheirProducers(t *testing.T) { withEachPeer(t, testRefusals) }

func testRefusals(t *testing.T, p *peer) {
	c := startCluster(t, 1)
	c.makeTopic(t, "theirs", 1)
	producer := p.producer(t, c.settings("their-producers"))
	tooLarge := order{Topic: "theirs", Tag: "huge", Body: noise(bodyMax + 1)}
	fits := order{Topic: "theirs", Tag: "fits", Body: []byte("this fits")}
	outcomes := producer.send(t, tooLarge, fits)
	// The code MESSAGE_ILLEGAL.
	require.Contains(t, outcomes[0].Error, "13")
	require.Empty(t, outcomes[1].Error, "a refusal leaves the connection in order")
	require.Len(t, c.stored(t, "theirs"), 1)
	producer.finish(t)
}

func TestTheirProducersMeetAnUnknownTopic(t *testing.T) { withEachPeer(t, testUnknownTopic) }

// testUnknownTopic: the broker makes topics for senders that ask it to. Some never get so far,
// because they give up when the name server knows no route.
func testUnknownTopic(t *testing.T, p *peer) {
	c := startCluster(t, 1)
	c.makeTopic(t, "known", 1)
	producer := p.producer(t, c.settings("their-producers"))
	said := producer.send(t, order{Topic: "unknown", Tag: "first", Body: []byte("a new topic")})[0]
	if p.createsTopics {
		covers(t, p.name, rowNewTopic)
		require.Empty(t, said.Error)
		require.Equal(t, "a new topic", string(c.stored(t, "unknown")[said.slot()].Body))
	} else {
		// The code TOPIC_NOT_EXIST.
		require.Contains(t, said.Error, "17")
	}
	producer.finish(t)
}
