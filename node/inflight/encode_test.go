package inflight_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/node/inflight"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

func TestEventsHaveTheBytesThatAreDocumented(t *testing.T) {
	q := inflight.Queue{Group: "g", Topic: "t", ID: 2}
	for _, c := range []struct {
		event inflight.Event
		bytes string
	}{
		{&inflight.Popped{Group: "g", At: 64, InvisibleMillis: 128, Attempt: "a", Parts: []inflight.Part{
			{Topic: "t", ID: 2, From: 5, To: 8, Held: []inflight.Delivery{{Offset: 4, Deliveries: 3}, {Offset: 7, Deliveries: 1}}}, {Topic: "u"}}},
			// kind, group, at, invisible, attempt, 2 parts
			"01 0167 8001 8001 0161 02" +
				// topic, queue, from, to-from, 2 held: 4 for the 3rd time, 3 further on for the first
				" 0174 02 05 03 02 0403 0301" +
				" 0175 00 00 00 00"},
		// popped at, 2 offsets: 4, and 3 further on
		{&inflight.Settled{Queue: q, PoppedAt: -1, Offsets: []message.QueueOffset{4, 7}}, "02 0167 0174 02 01 02 04 03"},
		{&inflight.Hidden{Queue: q, Offset: 4, PoppedAt: 1, At: 2, InvisibleMillis: 3}, "03 0167 0174 02 04 02 04 03"},
		{&inflight.Moved{Queue: q, To: 300}, "04 0167 0174 02 ac02"},
		{&inflight.Moved{Queue: q, To: 300, Forward: true}, "05 0167 0174 02 ac02"},
		{&inflight.Forgotten{Topic: "t"}, "06 00 0174"},
	} {
		encoded := inflight.Encode(nil, c.event)
		require.Equal(t, strings.ReplaceAll(c.bytes, " ", ""), hex.EncodeToString(encoded), "%v", c.event)
		decoded, err := inflight.Decode(encoded)
		require.NoError(t, err)
		require.Equal(t, c.event, decoded)
		for i := range encoded {
			_, err := inflight.Decode(encoded[:i])
			require.ErrorIs(t, err, inflight.ErrEvent, "%v cut at %d", c.event, i)
		}
	}
}

func TestBytesThatAreNoEventAreRefused(t *testing.T) {
	for _, c := range []struct{ bytes, why string }{
		{"", "ends too soon"},
		{"07", "kind 7"},
		{"06 00 0174 00", "1 bytes follow"},
		{"02 0167 0174 02 01 02 04 00", "message 4 behind 4"},
		{"06 00 7f74", "a number is cut off or too large"},
		{"01 0167 02 02 00 01 0174 02 05 03 01 0801", "message 8, delivery 1"}, // behind the part's end
		{"01 0167 02 02 00 01 0174 02 05 03 01 0700", "delivery 0"},
		{"01 0167 02 02 00 01 0174 02 05 03 02 0501 0001", "message 5, delivery 1, behind 5"},
	} {
		raw, err := hex.DecodeString(strings.ReplaceAll(c.bytes, " ", ""))
		require.NoError(t, err)
		_, err = inflight.Decode(raw)
		require.ErrorIs(t, err, inflight.ErrEvent, c.bytes)
		require.ErrorContains(t, err, c.why, c.bytes)
	}
}

func TestADamagedStateIsRefused(t *testing.T) {
	s := inflight.New()
	s.Apply(popped(0, 0, 3, first(0), first(2)), at(0))
	saved := s.Encode()
	for i := range saved {
		bad := append([]byte{}, saved...)
		bad[i] ^= 0x10
		_, err := inflight.Restore(bad, at(0))
		require.ErrorIs(t, err, inflight.ErrSaved, "byte %d", i)
		_, err = inflight.Restore(saved[:i], at(0))
		require.ErrorIs(t, err, inflight.ErrSaved, "cut at %d", i)
	}
}

func FuzzDecodeReadsBackWhatItTakes(f *testing.F) {
	f.Add(inflight.Encode(nil, popped(0, 0, 3, first(0), first(2))))
	f.Add(inflight.Encode(nil, &inflight.Hidden{Queue: orders, Offset: 4, PoppedAt: 1, At: 2, InvisibleMillis: 3}))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := inflight.Decode(body)
		if err != nil {
			require.ErrorIs(t, err, inflight.ErrEvent)
			return
		}
		again, err := inflight.Decode(inflight.Encode(nil, e))
		require.NoError(t, err)
		require.Equal(t, e, again)
		s := inflight.New()
		s.Apply(e, at(0))
		restored, err := inflight.Restore(s.Encode(), at(0))
		require.NoError(t, err)
		require.Equal(t, s.Encode(), restored.Encode())
	})
}
