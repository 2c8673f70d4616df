package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/transport/signature"
	"go.uber.org/zap"
)

// session is a tool's connection to a cluster: a world, an Admin in it, and what is needed to make more roles.
type session struct {
	world *osenv.World
	admin *client.Admin
	names string // name servers, host:port;host:port
	who   signature.Credentials
}

// newSession makes plain connections. It does not connect: the first call does.
func newSession(nameServers string, log *zap.Logger) (*session, error) {
	return newSessionOver(nil, signature.Credentials{}, nameServers, log)
}

// newSessionOver encrypts connections unless secrets is nil, and signs requests if there are credentials.
func newSessionOver(secrets *osenv.ClientTLS, who signature.Credentials, nameServers string, log *zap.Logger) (*session, error) {
	world, err := osenv.New(osenv.Options{Node: "client", Log: log, ClientTLS: secrets})
	if err != nil {
		return nil, err
	}
	admin, err := client.NewAdmin(world.Env, client.WithNameServers(nameServers), as(who))
	if err != nil {
		return nil, err
	}
	return &session{world, admin, nameServers, who}, nil
}

// goodbyeTimeout bounds the farewell of a tool, which matters less than its result.
const goodbyeTimeout = 3 * time.Second

func (s *session) close() error { return leave(s.admin) }

// leave closes a role even if the work before it was cut short.
func leave(role interface{ Close(context.Context) error }) error {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTimeout)
	defer cancel()
	return role.Close(ctx)
}

func (s *session) producer(group string, options ...client.ProducerOption) (*client.Producer, error) {
	options = append(options, client.WithNameServers(s.names), client.WithGroup(group), as(s.who))
	return client.NewProducer(s.world.Env, options...)
}

func (s *session) pullConsumer(group string, options ...client.ConsumerOption) (*client.PullConsumer, error) {
	options = append(options, client.WithNameServers(s.names), client.WithGroup(group), as(s.who))
	return client.NewPullConsumer(s.world.Env, options...)
}

// patience is the pause between looks at something that will be there soon.
const patience = 20 * time.Millisecond

// makeTopic makes a topic at all masters of a cluster and waits until its route names them all. Brokers that have
// just started may need a moment to register.
func (s *session) makeTopic(ctx context.Context, cluster string, topic client.TopicConfig) error {
	var masters []string
	err := until(ctx, client.ErrNoBroker, func() (err error) {
		masters, err = s.admin.UpdateTopicInCluster(ctx, cluster, topic)
		return err
	})
	if err != nil {
		return err
	}
	return until(ctx, client.ErrTopicNotFound, func() error { return s.routeNames(ctx, topic.Name, len(masters)) })
}

// routeNames fails with ErrTopicNotFound while the route of a topic has fewer brokers.
func (s *session) routeNames(ctx context.Context, topic string, brokers int) error {
	route, err := s.admin.Route(ctx, topic)
	if err == nil && len(route.Queues) < brokers {
		err = fmt.Errorf("%w at %d of %d brokers", client.ErrTopicNotFound, brokers-len(route.Queues), brokers)
	}
	return err
}

// until repeats a call while it fails with a passing error, as long as ctx allows.
func until(ctx context.Context, passing error, call func() error) error {
	for {
		err := call()
		if !errors.Is(err, passing) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(patience):
		}
	}
}
