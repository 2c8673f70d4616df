package proto

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gantrymq/gantry/transport/wire"
)

// sent returns the fields that arrive when a header is sent in a frame.
func sent(t require.TestingT, encoding wire.Encoding, h HeaderEncoder) wire.Fields {
	e := wire.Begin(nil, &wire.Header{Encoding: encoding})
	h.EncodeFields(&e)
	var c wire.Command
	require.NoError(t, wire.Limits{}.Decode(e.End(nil), &c))
	return c.Fields
}

// arrived returns the fields of a frame whose header is the given JSON text.
func arrived(t *testing.T, header string) wire.Fields {
	t.Helper()
	frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(header)))
	var c wire.Command
	require.NoError(t, wire.Limits{}.Decode(append(frame, header...), &c))
	return c.Fields
}

func fields(pairs ...string) wire.Fields {
	var f wire.Fields
	for i := 0; i < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f
}

// survives checks that headers of a type come back as they were sent. fix brings a random
// header into the form that reading gives.
func survives[T any, P interface {
	*T
	Header
}](t *testing.T, fix func(P)) {
	name := "header"
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.Make[T]().Draw(r, name)
		if fix != nil {
			fix(&value)
		}
		for _, encoding := range []wire.Encoding{wire.EncodingJSON, wire.EncodingBinary} {
			read := new(T)
			require.NoError(r, P(read).DecodeFields(sent(r, encoding, P(&value))))
			require.Equal(r, value, *read)
		}
	})
}

// unset makes an absent value a zero one, as random ones are not.
func unset[T any](values ...*Maybe[T]) {
	for _, m := range values {
		if !m.Set {
			*m = Maybe[T]{}
		}
	}
}

func TestHeadersSurviveAFrame(t *testing.T) {
	t.Run("SendMessage", func(t *testing.T) {
		survives(t, func(h *SendMessage) { unset(&h.RedeliveriesMax) })
	})
	t.Run("SendMessageShort", func(t *testing.T) {
		survives(t, func(h *SendMessageShort) { unset(&h.RedeliveriesMax) })
	})
	t.Run("SendMessageResponse", func(t *testing.T) {
		survives(t, func(h *SendMessageResponse) {
			if h.Region == "" {
				h.Region = DefaultRegion
			}
		})
	})
	t.Run("PullMessage", func(t *testing.T) {
		survives(t, func(h *PullMessage) {
			unset(&h.RequestSource)
			if h.ExpressionType == "" {
				h.ExpressionType = ExpressionTag
			}
		})
	})
	t.Run("PullMessageResponse", func(t *testing.T) { survives[PullMessageResponse](t, nil) })
	t.Run("QueryConsumerOffset", func(t *testing.T) {
		survives(t, func(h *QueryConsumerOffset) { unset(&h.ZeroIfUnknown) })
	})
	t.Run("UpdateConsumerOffset", func(t *testing.T) { survives[UpdateConsumerOffset](t, nil) })
	t.Run("GetMaxOffset", func(t *testing.T) {
		survives(t, func(h *GetMaxOffset) { unset(&h.Committed) })
	})
	t.Run("GetMinOffset", func(t *testing.T) { survives[GetMinOffset](t, nil) })
	t.Run("SearchOffsetByTimestamp", func(t *testing.T) { survives[SearchOffsetByTimestamp](t, nil) })
	t.Run("OffsetResponse", func(t *testing.T) { survives[OffsetResponse](t, nil) })
	t.Run("GetEarliestMessageStoreTime", func(t *testing.T) { survives[GetEarliestMessageStoreTime](t, nil) })
	t.Run("TimestampResponse", func(t *testing.T) { survives[TimestampResponse](t, nil) })
	t.Run("ViewMessageByID", func(t *testing.T) { survives[ViewMessageByID](t, nil) })
	t.Run("QueryMessage", func(t *testing.T) { survives[QueryMessage](t, nil) })
	t.Run("QueryMessageResponse", func(t *testing.T) { survives[QueryMessageResponse](t, nil) })
	t.Run("HeartbeatResponse", func(t *testing.T) { survives[HeartbeatResponse](t, nil) })
	t.Run("UnregisterClient", func(t *testing.T) { survives[UnregisterClient](t, nil) })
	t.Run("GetConsumerListByGroup", func(t *testing.T) { survives[GetConsumerListByGroup](t, nil) })
	t.Run("NotifyConsumerIDsChanged", func(t *testing.T) { survives[NotifyConsumerIDsChanged](t, nil) })
}

func TestHeadersOfTopicsAndNameServersSurviveAFrame(t *testing.T) {
	t.Run("UpdateAndCreateTopic", func(t *testing.T) {
		survives(t, func(h *UpdateAndCreateTopic) {
			unset(&h.SysFlags)
			h.FilterType &= MultiTag
		})
	})
	t.Run("DeleteTopicInBroker", func(t *testing.T) { survives[DeleteTopicInBroker](t, nil) })
	t.Run("DeleteTopicInNameServer", func(t *testing.T) { survives[DeleteTopicInNameServer](t, nil) })
	t.Run("GetTopicStatsInfo", func(t *testing.T) { survives[GetTopicStatsInfo](t, nil) })
	t.Run("GetBrokerConfigResponse", func(t *testing.T) { survives[GetBrokerConfigResponse](t, nil) })
	t.Run("RegisterBroker", func(t *testing.T) {
		survives(t, func(h *RegisterBroker) { unset(&h.EnableActingMaster) })
	})
	t.Run("RegisterBrokerResponse", func(t *testing.T) { survives[RegisterBrokerResponse](t, nil) })
	t.Run("UnregisterBroker", func(t *testing.T) { survives[UnregisterBroker](t, nil) })
	t.Run("QueryDataVersion", func(t *testing.T) { survives[QueryDataVersion](t, nil) })
	t.Run("QueryDataVersionResponse", func(t *testing.T) { survives[QueryDataVersionResponse](t, nil) })
	t.Run("BrokerHeartbeat", func(t *testing.T) {
		survives(t, func(h *BrokerHeartbeat) {
			unset(&h.BrokerID, &h.MaxOffset, &h.ConfirmOffset, &h.LiveForMillis, &h.Incarnation)
			unset(&h.Epoch, &h.ElectionPriority)
		})
	})
	t.Run("GetBrokerMemberGroup", func(t *testing.T) { survives[GetBrokerMemberGroup](t, nil) })
	t.Run("NotifyMinBrokerIDChange", func(t *testing.T) {
		survives(t, func(h *NotifyMinBrokerIDChange) { unset(&h.MinBrokerID) })
	})
	t.Run("GetRouteInfoByTopic", func(t *testing.T) { survives[GetRouteInfoByTopic](t, nil) })
	t.Run("RegisterTopicInNameServer", func(t *testing.T) { survives[RegisterTopicInNameServer](t, nil) })
	t.Run("GetTopicsByCluster", func(t *testing.T) { survives[GetTopicsByCluster](t, nil) })
	t.Run("WipeWritePermOfBroker", func(t *testing.T) { survives[WipeWritePermOfBroker](t, nil) })
	t.Run("WipeWritePermOfBrokerResponse", func(t *testing.T) { survives[WipeWritePermOfBrokerResponse](t, nil) })
	t.Run("AddWritePermOfBroker", func(t *testing.T) { survives[AddWritePermOfBroker](t, nil) })
	t.Run("AddWritePermOfBrokerResponse", func(t *testing.T) { survives[AddWritePermOfBrokerResponse](t, nil) })
	t.Run("PutKVConfig", func(t *testing.T) { survives[PutKVConfig](t, nil) })
	t.Run("GetKVConfig", func(t *testing.T) { survives[GetKVConfig](t, nil) })
	t.Run("GetKVConfigResponse", func(t *testing.T) { survives[GetKVConfigResponse](t, nil) })
	t.Run("DeleteKVConfig", func(t *testing.T) { survives[DeleteKVConfig](t, nil) })
	t.Run("GetKVListByNamespace", func(t *testing.T) { survives[GetKVListByNamespace](t, nil) })
}

// An empty frame lacks every required field, so a header that reads it has none.
func TestHeadersNameTheFirstMissingField(t *testing.T) {
	for want, header := range map[string]Header{
		"producerGroup":     new(SendMessage),
		"a (producerGroup)": new(SendMessageShort),
		"msgId":             new(SendMessageResponse),
		"consumerGroup":     new(PullMessage),
		"topic":             new(UpdateAndCreateTopic),
		"brokerName":        new(RegisterBroker),
		"clusterName":       new(BrokerHeartbeat),
		"changed":           new(QueryDataVersionResponse),
		"namespace":         new(PutKVConfig),
		"wipeTopicCount":    new(WipeWritePermOfBrokerResponse),
		"offset":            new(ViewMessageByID),
		"clientID":          new(UnregisterClient),
		"cluster":           new(GetTopicsByCluster),
		"timestamp":         new(TimestampResponse),
	} {
		err := header.DecodeFields(nil)
		require.ErrorIs(t, err, ErrField, want)
		var missing *FieldError
		require.True(t, errors.As(err, &missing))
		require.Equal(t, want, missing.Field)
		require.True(t, missing.Missing)
	}
}

func TestHeadersWithoutRequiredFieldsReadAnEmptyFrame(t *testing.T) {
	for _, header := range []Header{
		new(RegisterBrokerResponse), new(HeartbeatResponse), new(GetKVConfigResponse),
		new(NotifyMinBrokerIDChange), new(GetBrokerConfigResponse),
	} {
		require.NoError(t, header.DecodeFields(nil))
	}
}

func TestFieldErrorsShowTheValueAndWhatIsNeeded(t *testing.T) {
	var h GetMinOffset
	err := h.DecodeFields(fields("topic", "T", "queueId", "seven"))
	require.EqualError(t, err, `header field "queueId" holds "seven": send a decimal number of 32 bits`)
	err = h.DecodeFields(fields("topic", "T", "queueId", "2147483648"))
	require.EqualError(t, err, `header field "queueId" holds "2147483648": send a decimal number of 32 bits`)
	err = h.DecodeFields(fields("topic", "T"))
	require.EqualError(t, err, `header field "queueId" is missing: this request needs it`)
}

func TestOptionalFieldsThatCannotBeReadAreAbsent(t *testing.T) {
	var h BrokerHeartbeat
	require.NoError(t, h.DecodeFields(fields("clusterName", "c", "brokerAddr", "a", "brokerName", "b",
		"brokerId", "", "epoch", "99999999999", "maxOffset", "null", "electionPriority", "3")))
	require.Equal(t, BrokerHeartbeat{ClusterName: "c", BrokerAddress: "a", BrokerName: "b", ElectionPriority: Some[int32](3)}, h)
}

func TestNumbersAreReadExactly(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "+7": 7, "007": 7, "-1": -1,
		"9223372036854775807": 9223372036854775807, "-9223372036854775808": -9223372036854775808,
	} {
		n, ok := parseInt([]byte(text))
		require.True(t, ok, text)
		require.Equal(t, want, n)
	}
	for _, text := range []string{"", "-", "+", " 1", "1 ", "1.0", "0x1", "9223372036854775808", "-9223372036854775809", "99999999999999999999", "١"} {
		_, ok := parseInt([]byte(text))
		require.False(t, ok, "%q", text)
	}
}

func TestMaybeFallsBack(t *testing.T) {
	require.Equal(t, int32(16), Maybe[int32]{}.Or(16))
	require.Equal(t, int32(0), Some[int32](0).Or(16))
}
