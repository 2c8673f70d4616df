package client_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

func TestAPullRefusesABodyThatUnpacksToMoreThanItsLimit(t *testing.T) {
	var packer message.Compressor
	body := bytes.Repeat([]byte("x"), 10_000)
	packed, err := packer.Append(nil, body, message.CompressionZlib, 5)
	flags := message.FlagCompressed.WithCompression(message.CompressionZlib)
	require.NoError(t, err)
	for limit, fits := range map[int]bool{9_999: false, 10_000: true} {
		c := newCluster(t, 1)
		c.a.append(first, packed, nil, flags)
		c.run(time.Minute, func() {
			result, err := c.consumer(client.WithDecompressionLimit(limit)).Pull(background, first, 0, 1)
			require.Equal(t, fits, err == nil, "%v", err)
			if fits {
				require.Len(t, result.Messages[0].Body, 10_000)
			}
		})
	}
}
