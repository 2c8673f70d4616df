package proto

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEpochsAreTheBytesOfJavaTools(t *testing.T) {
	cache := EpochCache{Cluster: "c", BrokerName: "broker-a", BrokerID: 2, LogEnd: 300, Epochs: []Epoch{{Number: 1, End: 100}, {Number: 3, Start: 100, End: math.MaxInt64}}}
	text := `{"clusterName":"c","brokerName":"broker-a","brokerId":2,"epochList":[{"epoch":1,"startOffset":0,"endOffset":100},` +
		`{"epoch":3,"startOffset":100,"endOffset":9223372036854775807}],"maxOffset":300}`
	require.Equal(t, text, string(cache.Marshal()))
	got, err := UnmarshalEpochCache([]byte(text))
	require.NoError(t, err)
	require.Equal(t, &cache, got)
	require.Equal(t, "2 epochs of broker-a id 2, log end 300", got.String())
	require.Contains(t, string((&EpochCache{}).Marshal()), `"epochList":[]`, "a list, and not null")
	_, err = UnmarshalEpochCache([]byte("[]"))
	require.ErrorIs(t, err, ErrBody)
	loose, err := UnmarshalEpochCache([]byte(`{"epochList":[{"epoch":"7","startOffset":"5"}],"brokerId":"1"}`))
	require.NoError(t, err)
	require.Equal(t, &EpochCache{BrokerID: 1, Epochs: []Epoch{{Number: 7, Start: 5}}}, loose)
}

func TestADrainIsOnUnlessItIsOver(t *testing.T) {
	for text, over := range map[string]bool{"": false, "false": false, "true": true} {
		var h DrainBroker
		require.NoError(t, h.DecodeFields(asFields(map[string]string{"over": text})))
		require.Equal(t, over, h.Over, text)
	}
}
