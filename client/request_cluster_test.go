package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	realbroker "github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	simcluster "github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// realCluster is two real brokers and a name server in the simulator, and a machine for each side of a conversation.
type realCluster struct {
	*simcluster.Cluster
	t                 *testing.T
	asking, answering env.Env
}

func newRealCluster(t *testing.T) *realCluster {
	t.Helper()
	k := sim.New(1, sim.Options{StepsMax: 10_000_000})
	t.Cleanup(k.Close)
	c := simcluster.New(k, simcluster.Config{NameServers: 1, Brokers: 2, Broker: realbroker.Options{Store: store.Options{
		LogSegmentSize: 1 << 20, BodySizeMax: 64 << 10, QueueSegmentEntries: 1000, Index: index.Sizes{Slots: 100, Items: 1000},
	}}})
	r := &realCluster{Cluster: c, t: t}
	_, r.asking = c.AddClient()
	_, r.answering = c.AddClient()
	c.Start()
	k.Run(k.Now().Add(time.Minute), r.ready)
	require.True(t, r.ready())
	k.Run(k.Now().Add(time.Second), nil)
	return r
}

func (r *realCluster) ready() bool {
	for _, n := range r.Nodes() {
		if !n.Ready() {
			return false
		}
	}
	return true
}

// run lets one side run to its end.
func (r *realCluster) run(side env.Env, application func()) {
	r.t.Helper()
	ended := false
	side.Tasks.Go("application", func() {
		application()
		ended = true
	})
	r.Kernel.Run(r.Kernel.Now().Add(10*time.Minute), func() bool { return ended })
	if failure := r.Kernel.Failure(); failure != nil {
		r.t.Fatalf("%v\n%s", failure, failure.Stack)
	}
	require.True(r.t, ended)
}

// answerer starts a consumer that answers each request with its body in capitals, and leaves plain messages alone.
func (r *realCluster) answerer(plain *int) *client.PushConsumer {
	var consumer *client.PushConsumer
	consumer, err := client.NewPushConsumer(r.answering, client.WithGroup("answerers"), client.WithNameServers(r.NameServerAddresses()...),
		client.WithSubscription("questions", client.Tags("*")), client.WithConsumeFrom(client.FromFirst),
		client.WithHandler(func(ctx context.Context, messages []*client.Received) error {
			_, err := consumer.Reply(ctx, messages[0], bytes.ToUpper(messages[0].Body))
			if errors.Is(err, client.ErrNoRequest) {
				*plain++
				return nil
			}
			return err
		}))
	must(err)
	must(consumer.Start(background))
	return consumer
}

// createQuestions makes a topic at both brokers.
func (r *realCluster) createQuestions() {
	admin, err := client.NewAdmin(r.asking, client.WithNameServers(r.NameServerAddresses()...))
	must(err)
	config := proto.NewTopicConfig("questions")
	config.ReadQueues, config.WriteQueues = 2, 2
	_, err = admin.UpdateTopicInCluster(background, "DefaultCluster", config)
	must(err)
	must(admin.Close(background))
	r.asking.Tasks.Sleep(time.Second)
}

func TestQuestionsAreAnsweredOverRealBrokers(t *testing.T) {
	r := newRealCluster(t)
	var consumer *client.PushConsumer
	var p *client.Producer
	plain := 0
	ask := func(body []byte) {
		reply, err := p.Request(background, client.NewMessage("questions", body), 10*time.Second)
		must(err)
		if !bytes.Equal(reply.Body, bytes.ToUpper(body)) {
			panic(fmt.Sprintf("the answer to %q is %q", body, reply.Body))
		}
	}
	r.run(r.asking, r.createQuestions)
	r.run(r.answering, func() { consumer = r.answerer(&plain) })
	r.run(r.asking, func() {
		var err error
		p, err = client.NewProducer(r.asking, client.WithGroup("askers"), client.WithNameServers(r.NameServerAddresses()...))
		must(err)
		for i := range 20 {
			ask(fmt.Appendf(nil, "question %d", i))
		}
		ask(bytes.Repeat([]byte("long "), 10_000))
		_, err = p.Send(background, client.NewMessage("questions", []byte("no question")))
		must(err)
	})
	// A broker that has restarted does not know who asks until it hears of it again.
	r.Brokers[0].Crash(sim.KillProcess)
	r.Brokers[0].Start()
	r.Kernel.Run(r.Kernel.Now().Add(10*time.Second), nil)
	r.run(r.asking, func() {
		for i := range 20 {
			ask(fmt.Appendf(nil, "later question %d", i))
		}
	})
	r.run(r.answering, func() { must(consumer.Close(background)) })
	r.run(r.asking, func() {
		_, err := p.Request(background, client.NewMessage("questions", []byte("anybody?")), 3*time.Second)
		if !errors.Is(err, client.ErrNoReply) {
			panic(err)
		}
		must(p.Close(background))
	})
	require.Equal(t, 1, plain)
}
