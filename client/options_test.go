package client_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

func TestAWrongOptionIsNamed(t *testing.T) {
	c := newCluster(t, 1)
	named := client.WithNameServers("names:9876")
	group := client.WithGroup("g")
	producers := map[string][]client.ProducerOption{
		"WithGroup":              {named},
		"WithNameServers":        {group},
		"WithSendTimeout":        {named, group, client.WithSendTimeout(0)},
		"WithTryTimeout":         {named, group, client.WithTryTimeout(-1)},
		"WithRetries":            {named, group, client.WithRetries(-1, 0)},
		"WithMaxMessageSize":     {named, group, client.WithMaxMessageSize(0)},
		"WithCompression":        {named, group, client.WithCompression(1, message.Compression(7), 5)},
		"WithTopicCreation":      {named, group, client.WithTopicCreation("TBW102", 0)},
		"WithWindow":             {named, group, client.WithWindow(9, 1<<20)},
		"WithRequestTimeout":     {named, group, client.WithRequestTimeout(0)},
		"WithDialTimeout":        {named, group, client.WithDialTimeout(0)},
		"WithHeartbeat":          {named, group, client.WithHeartbeat(0)},
		"WithRouteRefresh":       {named, group, client.WithRouteRefresh(0)},
		"WithNameServerRefresh":  {named, group, client.WithNameServerRefresh(0)},
		"WithProcess":            {named, group, client.WithProcess(-1)},
		`WithGroup("DEFAULT_PRO`: {named, client.WithGroup("DEFAULT_PRODUCER")},
		`WithGroup("a b`:         {named, client.WithGroup("a b")},
		`WithGroup("ggg`:         {named, client.WithGroup(strings.Repeat("g", 121))},
	}
	consumers := map[string][]client.ConsumerOption{
		"WithHold":         {named, group, client.WithHold(-1)},
		"WithPullTimeout":  {named, group, client.WithPullTimeout(20 * time.Second)},
		"WithSubscription": {named, group, client.WithSubscription("a b", client.Filter{})},
		"WithGroup":        {named, client.WithGroup("DEFAULT_CONSUMER")},
	}
	got := map[string][]error{}
	var admin, none error
	c.run(time.Second, func() {
		for want, options := range producers {
			_, err := client.NewProducer(c.app, options...)
			got[want] = append(got[want], err)
		}
		for want, options := range consumers {
			_, err := client.NewPullConsumer(c.app, options...)
			got[want] = append(got[want], err)
		}
		_, admin = client.NewAdmin(c.app)
		_, none = client.NewAdmin(c.app, client.WithNameServers(";"))
	})
	for want, errs := range got {
		for _, err := range errs {
			var wrong *client.OptionError
			require.ErrorAs(t, err, &wrong, want)
			require.ErrorIs(t, err, client.ErrOption)
			require.True(t, strings.HasPrefix(err.Error(), want), "%s: %v", want, err)
		}
	}
	require.ErrorContains(t, admin, "NAMESRV_ADDR")
	require.ErrorIs(t, none, client.ErrOption)
	require.Empty(t, c.machine.TaskNames(), "nothing was started")
}

func TestAnAddressThatNobodyCanDialIsAWrongOption(t *testing.T) {
	c := newCluster(t, 1)
	got := map[string]error{}
	c.run(time.Second, func() {
		for _, address := range []string{"names", "names:", ":9876", "names:0", "names:65536", "names:many", "a:1;b", "[::1]"} {
			_, got[address] = client.NewAdmin(c.app, client.WithNameServers(address))
		}
		for _, address := range []string{"names:1", "[::1]:65535", "http://cloud.example/names:9876"} {
			must(must1(client.NewAdmin(c.app, client.WithNameServers(address))).Close(background))
		}
	})
	for address, err := range got {
		require.ErrorIs(t, err, client.ErrOption, address)
		require.ErrorContains(t, err, "give addresses host:port with a port from 1 to 65535", address)
	}
}

func TestASendErrorTellsEveryTryAndWhatToDo(t *testing.T) {
	last := errors.New("refused")
	e := &client.SendError{
		Topic: "orders", UniqueID: "U", Took: 1200 * time.Millisecond, Err: last, MaybeStored: true,
		Attempts: []client.Attempt{
			{Queue: client.Queue{BrokerName: "a", QueueID: 2}, Address: "10.0.0.1:10911", Took: time.Second, Err: transport.ErrTimeout, MaybeStored: true},
			{Queue: client.Queue{BrokerName: "b"}, Took: 200 * time.Millisecond, Err: last},
		},
	}
	require.EqualError(t, e, "send to orders failed after 2 tries in 1.2s, the message may have been stored: sending it again may store it twice; "+
		"try 1: queue 2 of a (10.0.0.1:10911), 1s: no response in time; try 2: queue 0 of b, 200ms: refused")
	require.ErrorIs(t, e, client.ErrTimeout)
	require.ErrorIs(t, e, last)
}
