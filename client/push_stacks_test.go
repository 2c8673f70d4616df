package client_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

func TestAToolSeesWhatTheTasksOfAConsumerDoIfItAsksForThat(t *testing.T) {
	c := newGroupCluster(t, 1)
	var plain, dumped *proto.ConsumerRunningInfo
	box := &inbox{}
	c.run(time.Minute, func() {
		p := c.push(client.WithHandler(box.handle))
		asked := func(stack bool) *proto.ConsumerRunningInfo {
			header := &proto.GetConsumerRunningInfo{ConsumerGroup: "consumers", ClientID: "x", StackDump: stack}
			answer := must1(c.ask(c.a, &transport.Request{Code: proto.ReqGetConsumerRunningInfo, Header: header}))
			return must1(proto.UnmarshalConsumerRunningInfo(answer.Body))
		}
		c.app.Tasks.Sleep(time.Second)
		plain, dumped = asked(false), asked(true)
		must(p.Close(background))
	})
	require.Empty(t, plain.StackDump)
	require.Contains(t, dumped.StackDump, "rebalance")
}
