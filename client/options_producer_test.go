package client_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

func TestAWrongOptionOfDeliveryIsNamed(t *testing.T) {
	c := newCluster(t, 1)
	named := client.WithNameServers("names:9876")
	group := client.WithGroup("g")
	producers := map[string][]client.ProducerOption{
		"WithMachineRooms":       {named, group, client.WithMachineRooms("north", "")},
		`WithMachineRooms(["a@`:  {named, group, client.WithMachineRooms("a@b")},
		"WithFaultTolerance":     {named, group, client.WithFaultTolerance(client.FaultStep{Latency: 2}, client.FaultStep{Latency: 2})},
		"WithFaultTolerance([1s": {named, group, client.WithFaultTolerance(client.FaultStep{Latency: time.Second, Rest: -1})},
		"WithDetector":           {named, group, client.WithDetector(0, time.Second)},
		"WithDetector(1s":        {named, group, client.WithDetector(time.Second, 0)},
		"WithBusyBackOff":        {named, group, client.WithBusyBackOff(2, 1)},
		"WithOutputLimit":        {named, group, client.WithOutputLimit(4<<20 + 64<<10 - 1)},
		"WithTrace":              {named, group, client.WithTrace(client.TraceOptions{Records: 21})},
		"WithTrace(10":           {named, group, client.WithTrace(client.TraceOptions{Topic: "SCHEDULE_TOPIC_XXXX"})},
		"WithSendHook":           {named, group, client.WithSendHook(client.SendHook{Name: "h"})},
		`WithSendHook("")`:       {named, group, client.WithSendHook(client.SendHook{Before: func(client.SendAttempt) {}})},
		"WithForbiddenCheck":     {named, group, client.WithForbiddenCheck("f", nil)},
	}
	got := map[string]error{}
	c.run(time.Second, func() {
		for want, options := range producers {
			_, got[want] = client.NewProducer(c.app, options...)
		}
		_, got["WithDecompressionLimit(0)"] = client.NewAdmin(c.app, named, client.WithDecompressionLimit(0))
		p, err := client.NewProducer(c.app, named, group, client.WithMachineRooms(), client.WithBusyBackOff(0, 0),
			client.WithOutputLimit(4<<20+64<<10), client.WithDetector(time.Millisecond, time.Millisecond), client.WithTrace(client.TraceOptions{Records: 20}))
		must(err)
		must(p.Close(background))
	})
	for want, err := range got {
		require.ErrorIs(t, err, client.ErrOption, want)
		require.True(t, strings.HasPrefix(err.Error(), want), "%s: %v", want, err)
	}
	require.Empty(t, c.machine.TaskNames(), "nothing was left")
}

func TestWhatShowsInLogsIsOneLine(t *testing.T) {
	for want, shown := range map[string]interface{ String() string }{
		"SYNC": client.Synchronous, "ASYNC": client.Asynchronous, "ONEWAY": client.Oneway, "send mode 7": client.SendMode(7),
		"550ms: rest 2s":                       client.FaultStep{Latency: 550 * time.Millisecond, Rest: 2 * time.Second},
		"10 records to T":                      client.TraceOptions{Topic: "T", Records: 10},
		"ASYNC try 2 of U to t@a:1 (10.0.0.1)": client.SendAttempt{Mode: client.Asynchronous, Try: 2, UniqueID: "U", Queue: client.Queue{Topic: "t", BrokerName: "a", QueueID: 1}, Address: "10.0.0.1"},
	} {
		require.Equal(t, want, shown.String())
	}
}
