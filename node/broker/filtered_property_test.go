package broker_test

import (
	"fmt"
	"testing"

	"github.com/gantrymq/gantry/node/filter/filtertest"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawnMessage is one that was sent: its number, and the properties that the broker has stored.
type drawnMessage struct {
	number     string
	properties map[string]string
}

// sendDrawn sends random messages to a queue of a new topic, and returns what is stored.
func sendDrawn(t *rapid.T, w *world, topic string, choose filtertest.Choose) (all []drawnMessage) {
	for n := range rapid.IntRange(1, 40).Draw(t, "messages") {
		var properties message.Properties
		drawn := filtertest.Message(choose)
		for _, name := range []string{"a", "b", "c", "TAGS", "_d$1"} {
			if value := drawn[name]; message.CheckProperty(name, value) == nil {
				properties.Set(name, value)
			}
		}
		encoded, err := properties.Append(nil)
		require.NoError(t, err)
		w.succeeds(sendRequest(topic, 0, fmt.Sprint(n), string(encoded)))
	}
	walk(t, w, pullRequest(topic, 0, 0, 0, "*"), 32, func(r *message.Record) {
		m := drawnMessage{string(r.Body), map[string]string{}}
		for _, p := range message.ParseProperties(r.Properties) {
			m.properties[p.Name] = p.Value
		}
		all = append(all, m)
	})
	return all
}

// walk pulls from the start to the end of a queue, some messages at a time.
func walk(t *rapid.T, w *world, request *transport.Request, count int32, each func(r *message.Record)) {
	header := request.Header.(*proto.PullMessage)
	header.MaxMessages = count
	for {
		response := w.call(request)
		switch response.Code {
		case proto.RespSuccess:
			for r, err := range message.DecodeRecords(response.Body, true) {
				require.NoError(t, err)
				each(r)
			}
		case proto.RespPullNotFound:
			return
		default:
			require.Equal(t, "PULL_RETRY_IMMEDIATELY", proto.ResponseName(response.Code), response.Remark)
		}
		before := header.QueueOffset
		_, err := fmt.Sscan(next(response), &header.QueueOffset)
		require.NoError(t, err)
		require.Greater(t, header.QueueOffset, before, "each pull is a step ahead")
	}
}

func TestPullsDeliverExactlyWhatTheExpressionMatches(t *testing.T) {
	w := newWorld(t)
	topics := 0
	rapid.Check(t, func(t *rapid.T) {
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }
		topics++
		topic := fmt.Sprint("topic", topics)
		all := sendDrawn(t, w, topic, choose)
		tree := filtertest.Generate(choose, 1+choose(4))
		request := sqlPull(topic, 0, 0, tree.Text(choose))
		if reason := tree.Refused(); reason != "" {
			require.EqualValues(t, proto.RespSubscriptionParseFailed, w.call(request).Code, reason)
			return
		}
		var want, got []string
		for _, m := range all {
			if tree.Matches(m.properties) {
				want = append(want, m.number)
			}
		}
		walk(t, w, request, int32(1+choose(10)), func(r *message.Record) { got = append(got, string(r.Body)) })
		require.Equal(t, want, got, "%s", request.Header.(*proto.PullMessage).Expression)
	})
}

func TestPullsDeliverExactlyTheTagsThatAreAskedFor(t *testing.T) {
	w := newWorld(t)
	topics := 0
	rapid.Check(t, func(t *rapid.T) {
		topics++
		topic := fmt.Sprint("topic", topics)
		tags := []string{"", "Aa", "BB", "AaBB", "BBAa", "C"} // of which some have the same hash
		for n := range rapid.IntRange(1, 40).Draw(t, "messages") {
			properties := ""
			if tag := rapid.SampledFrom(tags).Draw(t, "tag"); tag != "" {
				properties = "TAGS\x01" + tag + "\x02"
			}
			w.succeeds(sendRequest(topic, 0, fmt.Sprint(n), properties))
		}
		expression := rapid.SampledFrom([]string{"*", "", "Aa", "BB || C", " AaBB||BBAa ", "D", "* || C"}).Draw(t, "expression")
		var want, got []string
		walk(t, w, pullRequest(topic, 0, 0, 0, "*"), 32, func(r *message.Record) {
			tag, tagged := message.PropertyBytes(r.Properties, message.PropertyTags)
			if filtertest.MatchesTags(expression, string(tag), tagged) {
				want = append(want, string(r.Body))
			}
		})
		count := int32(rapid.IntRange(1, 10).Draw(t, "count"))
		walk(t, w, pullRequest(topic, 0, 0, 0, expression), count, func(r *message.Record) { got = append(got, string(r.Body)) })
		require.Equal(t, want, got, expression)
	})
}
