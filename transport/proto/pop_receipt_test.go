package proto

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// goldenReceipts are texts as official brokers, clients and proxies make them.
var goldenReceipts = map[string]PopReceipt{
	"1200 1700000000000 60000 3 0 broker-a 3 1201": {
		StartOffset: 1200, PoppedAt: 1700000000000, InvisibleMillis: 60000, ReviveQueueID: 3, Retry: PopNormal, BrokerName: "broker-a", QueueID: 3,
		QueueOffset: 1201, LogOffset: -1,
	},
	"7 1700000000000 60000 999 1 b 0 7": {
		StartOffset: 7, PoppedAt: 1700000000000, InvisibleMillis: 60000, ReviveQueueID: ReviveQueueOrdered, Retry: PopRetryV1, BrokerName: "b",
		QueueOffset: 7, LogOffset: -1,
	},
	"0 1 0 0 2 b 0 0 4096": {PoppedAt: 1, Retry: PopRetryV2, BrokerName: "b", LogOffset: 4096},
}

func TestAReceiptIsTheTextOfTheProtocol(t *testing.T) {
	for text, want := range goldenReceipts {
		got, err := ParsePopReceipt(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
		require.Equal(t, text, got.String())
	}
}

func TestAReceiptThatIsNoneIsRefusedByItsField(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  `"" has 1 fields: send the property POP_CK of the message, which has 8 or 9`,
		"1 2 3 4 0 b 6":                     `"1 2 3 4 0 b 6" has 7 fields: send the property POP_CK of the message, which has 8 or 9`,
		"1 2 3 4 0 b 6 7 8 9":               `"1 2 3 4 0 b 6 7 8 9" has 10 fields: send the property POP_CK of the message, which has 8 or 9`,
		"x 2 3 4 0 b 6 7":                   `ckQueueOffset is "x": it must be a decimal number from 0 to 9223372036854775807`,
		"1 -2 3 4 0 b 6 7":                  `popTime is "-2": it must be a decimal number from 0 to 9223372036854775807`,
		"1 2 +3 4 0 b 6 7":                  `invisibleTime is "+3": it must be a decimal number from 0 to 9223372036854775807`,
		"1 2 3 2147483648 0 b 6 7":          `reviveQid is "2147483648": it must be a decimal number from 0 to 2147483647`,
		"1 2 3 4 3 b 6 7":                   `retry is "3": it must be 0, 1 or 2`,
		"1 2 3 4 0  6 7":                    `brokerName is "": it must be a name`,
		"1 2 3 4 0 b 06 7":                  `queueId is "06": it must be a decimal number from 0 to 2147483647`,
		"1 2 3 4 0 b 6 9223372036854775808": `queueOffset is "9223372036854775808": it must be a decimal number from 0 to 9223372036854775807`,
		"1 2 3 4 0 b 6 7 -1":                `commitLogOffset is "-1": it must be a decimal number from 0 to 9223372036854775807`,
		"8 2 3 4 0 b 6 7":                   `ckQueueOffset is "8": it must be an offset that is not behind that of the message, 7`,
		"1 2 3 4 0 b 6 -0":                  `queueOffset is "-0": it must be a decimal number from 0 to 9223372036854775807`,
	} {
		_, err := ParsePopReceipt(text)
		require.ErrorIs(t, err, ErrReceipt, text)
		require.EqualError(t, err, ErrReceipt.Error()+": "+want)
	}
}

func TestAReceiptTellsWhenItsMessageMayComeAgain(t *testing.T) {
	require.Equal(t, int64(61_000), PopReceipt{PoppedAt: 1000, InvisibleMillis: 60_000}.VisibleAt())
	require.Equal(t, int64(math.MaxInt64), PopReceipt{PoppedAt: math.MaxInt64, InvisibleMillis: 1}.VisibleAt())
}

// receipts draws any receipt that a broker may make.
func receipts() *rapid.Generator[PopReceipt] {
	return rapid.Custom(func(t *rapid.T) PopReceipt {
		number, id := rapid.Int64Min(0), rapid.Int32Min(0)
		r := PopReceipt{
			StartOffset: number.Draw(t, "start"), PoppedAt: number.Draw(t, "popped at"), InvisibleMillis: number.Draw(t, "invisible"),
			ReviveQueueID: id.Draw(t, "revive queue"), Retry: rapid.SampledFrom([]PopRetry{PopNormal, PopRetryV1, PopRetryV2}).Draw(t, "retry"),
			BrokerName: rapid.StringMatching(`[a-zA-Z0-9%|_-]{1,20}`).Draw(t, "broker"), QueueID: id.Draw(t, "queue"),
		}
		r.QueueOffset = rapid.Int64Min(r.StartOffset).Draw(t, "offset")
		r.LogOffset = rapid.Int64Min(-1).Draw(t, "log offset")
		return r
	})
}

func TestAReceiptSurvivesItsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := receipts().Draw(t, "receipt")
		got, err := ParsePopReceipt(want.String())
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

// FuzzPopReceipt: no text makes the reader panic; what it takes is written as the same text; errors are ErrReceipt.
func FuzzPopReceipt(f *testing.F) {
	for _, text := range sortedKeys(goldenReceipts) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParsePopReceipt(text)
		if err != nil {
			require.ErrorIs(t, err, ErrReceipt)
			return
		}
		require.Equal(t, text, r.String())
		require.LessOrEqual(t, r.StartOffset, r.QueueOffset)
		require.GreaterOrEqual(t, r.VisibleAt(), r.PoppedAt)
	})
}
