package gantry_test

import (
	"context"
	"log"
	"net/netip"
	"os"
	"time"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/node/namesrv"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/proto"
)

// standalone starts a name server and a broker in this process, with topics of one queue each, and makes them what NAMESRV_ADDR
// names. It returns what stops them and removes their files. Applications have a server of their own: for them, this is "gantry
// standalone".
func standalone(topics ...string) (stop func()) {
	dir := must(os.MkdirTemp("", "gantry-example-"))
	names, node := must(osenv.New(osenv.Options{Node: "namesrv", Root: dir})), must(osenv.New(osenv.Options{Node: "broker", Root: dir}))
	var server *namesrv.Server
	var b *broker.Broker
	names.Run(func(e env.Env) {
		server = must(namesrv.New(e, namesrv.Options{Listen: "127.0.0.1:0"}))
		check(server.Start())
	})
	address := server.Addr().String()
	node.Run(func(e env.Env) {
		b = must(broker.New(e, broker.Options{
			Listen: "127.0.0.1:0", AdvertisedIP: netip.MustParseAddr("127.0.0.1"), NameServers: []string{address}, DefaultTopicQueues: 1,
			Store: store.Options{LogSegmentSize: 16 << 20, DelayLevels: []time.Duration{100 * time.Millisecond, time.Minute}},
		}))
		check(b.Start())
	})
	check(os.Setenv(gantry.EnvironmentNameServers, address))
	check(os.Setenv(gantry.EnvironmentOffsets, dir+"/offsets"))
	createTopics(topics)
	return func() {
		node.Run(func(env.Env) { check(b.Close()) })
		node.Wait()
		names.Run(func(env.Env) { server.Close() })
		names.Wait()
		check(os.RemoveAll(dir))
		check(os.Unsetenv(gantry.EnvironmentNameServers))
		check(os.Unsetenv(gantry.EnvironmentOffsets))
	}
}

// createTopics makes topics as soon as the broker has registered.
func createTopics(topics []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	a := must(gantry.NewAdmin())
	defer a.Close(ctx)
	for _, topic := range topics {
		config := client.TopicConfig{Name: topic, ReadQueues: 1, WriteQueues: 1, Perm: proto.PermReadWrite}
		for {
			if _, err := a.UpdateTopicInCluster(ctx, "DefaultCluster", config); err == nil {
				break
			}
			check(ctx.Err())
			time.Sleep(10 * time.Millisecond)
		}
		for {
			if _, err := a.Route(ctx, topic); err == nil {
				break
			}
			check(ctx.Err())
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// send sends messages with these bodies.
func send(topic string, bodies ...string) {
	ctx := context.Background()
	p := must(gantry.NewProducer(client.WithGroup("examples")))
	defer p.Close(ctx)
	for _, body := range bodies {
		must(p.Send(ctx, gantry.NewMessage(topic, []byte(body))))
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Panic(err)
	}
}
