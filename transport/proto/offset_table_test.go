package proto

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTablesOfOffsetsAreThoseOfJava(t *testing.T) {
	table := &ConsumerOffsetTable{Entries: []GroupOffsets{{Topic: "T", Group: "G", Offsets: []NumberedOffset{{0, 100}, {1, 7}}}}}
	requireSame(t, "ConsumerOffsetSerializeWrapper", UnmarshalConsumerOffsetTable, table, table.Marshal())
	requireRead(t, java4, "ConsumerOffsetManager", UnmarshalConsumerOffsetTable, table)
	table.Version = Some(thirdVersion())
	requireSame(t, "ConsumerOffsetSerializeWrapper version", UnmarshalConsumerOffsetTable, table, table.Marshal())
	requireRead(t, java5, "ConsumerOffsetManager", UnmarshalConsumerOffsetTable, table)
	require.Equal(t, "offsets of 1 groups on topics", table.String())
}

func TestTablesOfDelayOffsetsAreThoseOfJava(t *testing.T) {
	table := &DelayOffsetTable{Levels: []NumberedOffset{{1, 100}, {2, 3}}}
	requireSame(t, "DelayOffsetSerializeWrapper none", UnmarshalDelayOffsetTable, table, table.Marshal())
	requireRead(t, java4, "DelayOffsetSerializeWrapper none", UnmarshalDelayOffsetTable, table)
	table.Version = Some(thirdVersion())
	requireSame(t, "DelayOffsetSerializeWrapper", UnmarshalDelayOffsetTable, table, table.Marshal())
	require.Equal(t, "offsets of 2 delay levels", table.String())
}

func TestTablesOfOffsetsAreReadLoosely(t *testing.T) {
	table, err := UnmarshalConsumerOffsetTable([]byte(`{"offsetTable":{"T":{"2":"5"},"%RETRY%G@G":{10:1,9:2},"A@B@C":null},"dataVersion":null}`))
	require.NoError(t, err)
	require.Equal(t, &ConsumerOffsetTable{Entries: []GroupOffsets{
		{Topic: "%RETRY%G", Group: "G", Offsets: []NumberedOffset{{9, 2}, {10, 1}}},
		{Topic: "A", Group: "B@C"},
		{Topic: "T", Offsets: []NumberedOffset{{2, 5}}},
	}}, table)
	for _, body := range []string{`{"offsetTable":{"T@G":{"x":1}}}`, `{"offsetTable":{"T@G":{4294967296:1}}}`, `{"offsetTable":{"T@G":7}}`} {
		_, err = UnmarshalConsumerOffsetTable([]byte(body))
		require.ErrorIs(t, err, ErrBody, body)
	}
}
