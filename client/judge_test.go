package client

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

var someHost = netip.MustParseAddrPort("10.0.0.2:10911")

func TestWhatAFailedTryMeans(t *testing.T) {
	answer := func(code int32) error { return fmt.Errorf("wrapped: %w", &ResponseError{Code: code}) }
	for name, try := range map[string]struct {
		err  error
		want verdict
	}{
		"no answer":               {ErrTimeout, verdict{again: true, maybeStored: true}},
		"connection broke":        {transport.ErrClosed, verdict{again: true, maybeStored: true}},
		"no connection":           {fmt.Errorf("dial: %w: %w", transport.ErrNotSent, errors.New("x")), verdict{again: true}},
		"no master":               {ErrNoBroker, verdict{again: true}},
		"the caller gave up":      {transport.ErrCancelled, verdict{maybeStored: true}},
		"too many calls":          {transport.ErrBusy, verdict{}},
		"an answer of nonsense":   {proto.ErrField, verdict{maybeStored: true}},
		"busy":                    {answer(proto.RespSystemBusy), verdict{again: true}},
		"no permission":           {answer(proto.RespNoPermission), verdict{again: true}},
		"the store failed":        {answer(proto.RespServiceNotAvailable), verdict{again: true, maybeStored: true}},
		"wrong message":           {answer(proto.RespMessageIllegal), verdict{}},
		"a code nobody has heard": {answer(4711), verdict{maybeStored: true}},
	} {
		require.Equal(t, try.want, judge(try.err, defaultRetryCodes()), name)
	}
	require.Equal(t, verdict{}, judge(answer(proto.RespSystemBusy), nil), "asynchronous sends know no retry codes")
}

// Whatever a broker sends, decoding does not panic, gives no messages along with an error, and lets only those pass that the
// filter wants.
func FuzzDecodePulledBodies(f *testing.F) {
	element, err := message.AppendBatchElement(nil, &message.BatchElement{Body: []byte("x"), Properties: []byte("TAGS\x01a\x02")})
	require.NoError(f, err)
	for _, r := range []message.Record{
		{Topic: []byte("t"), Body: []byte("body"), Properties: []byte("TAGS\x01a\x02")},
		{Topic: []byte("t"), Body: element, Properties: []byte("INNER_BASE\x017\x02"), SysFlags: message.FlagInnerBatch | message.FlagNeedsUnwrap},
		{Topic: []byte("t"), Body: []byte("not compressed"), SysFlags: message.SysFlags(0).WithCompression(message.CompressionZstd)},
	} {
		r.BornHost, r.StoreHost = someHost, someHost
		record, err := message.AppendRecord(nil, &r)
		require.NoError(f, err)
		f.Add(record)
		f.Add(append(record, record...))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := decoder{queue: Queue{Topic: "t"}, filter: Tags("a")}
		messages, err := d.decode(body)
		if err != nil && len(messages) > 0 {
			t.Fatal("messages came with an error")
		}
		for _, m := range messages {
			if m.Tags() != "a" || m.Queue.Topic != "t" || len(m.Body) > bodyMax {
				t.Fatalf("%v should not have passed", m)
			}
		}
	})
}
