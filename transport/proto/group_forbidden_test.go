package proto

import (
	"testing"

	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func TestWhatAGroupMayReadIsAskedAndToldByName(t *testing.T) {
	for _, want := range []UpdateAndGetGroupForbidden{{Group: "G", Topic: "T"}, {Group: "G", Topic: "T", Readable: Some(false)}, {Group: "G", Topic: "T", Readable: Some(true)}} {
		var got UpdateAndGetGroupForbidden
		require.NoError(t, got.DecodeFields(sent(t, wire.EncodingJSON, &want)))
		require.Equal(t, want, got)
	}
	require.Error(t, new(UpdateAndGetGroupForbidden).DecodeFields(asFields(map[string]string{"group": "G"})))

	body := &GroupForbidden{Group: "G", Topic: "T", Readable: true}
	require.Equal(t, `{"group":"G","readable":true,"topic":"T"}`, string(body.Marshal()))
	require.Equal(t, "G may read T", body.String())
	body.Readable = false
	require.Equal(t, "G may not read T", body.String())
	read, err := UnmarshalGroupForbidden(body.Marshal())
	require.NoError(t, err)
	require.Equal(t, body, read)
	_, err = UnmarshalGroupForbidden([]byte(`[`))
	require.ErrorIs(t, err, ErrBody)
}

func TestTheTableOfRequestModesHasTheLayoutOfJava(t *testing.T) {
	const text = `{"messageRequestModeMap":{"A":{"G":{"consumerGroup":"G","mode":"POP","popShareQueueNum":8,"topic":"A"},` +
		`"H":{"consumerGroup":"H","mode":"PULL","popShareQueueNum":0,"topic":"A"}},"B":{"G":{"consumerGroup":"G","mode":"PULL","popShareQueueNum":-1,"topic":"B"}}}}`
	table, err := UnmarshalRequestModeTable([]byte(text))
	require.NoError(t, err)
	require.Equal(t, &RequestModeTable{Modes: []SetMessageRequestMode{
		{Topic: "A", ConsumerGroup: "G", Mode: ModePop, PopShareQueues: 8}, {Topic: "A", ConsumerGroup: "H"}, {Topic: "B", ConsumerGroup: "G", PopShareQueues: -1},
	}}, table)
	require.Equal(t, text, string(table.Marshal()))
	require.Equal(t, "3 request modes", table.String())
	require.Equal(t, `{"messageRequestModeMap":{}}`, string(new(RequestModeTable).Marshal()))
}
