package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// core is what all roles are built on (class MQClientInstance): connections, name servers,
// routes, brokers, heartbeats. Everything in it is used with the baton.
type core struct {
	env     env.Env
	config  *config
	net     *transport.Client
	ids     *identity
	names   *nameServers
	brokers *brokers
	routes  *routes
	beats   *heartbeats
	fields  wire.Fields // that all requests have
	tasks   *env.Group  // the core's own tasks; close waits for them
	state   state
	stopped env.Cond // wakes tasks that pause, when closing begins

	// What a role wants to know; nil if nothing. None of them may wait.
	server func(*transport.Incoming) bool // serves a request of a broker, or reports false
	met    func(address string)           // a broker has taken the first heartbeat over a connection
	lost   func(address string)           // a connection has ended
}

// state only grows.
type state int

const (
	open     state = iota
	draining       // calls of the application are refused, those under way go on
	closing        // no new tasks
	closed
)

// newCore enters the node, makes a core, hands it to setUp, and starts its tasks. It does not wait for
// the network.
func newCore(e env.Env, c *config, r role, setUp func(k *core)) (*core, error) {
	if err := c.validate(r); err != nil {
		return nil, err
	}
	call, err := e.Door.Enter(context.Background())
	if err != nil {
		return nil, err
	}
	defer call.Leave()
	if e.Network, err = c.network(e.Network); err != nil {
		return nil, err
	}
	c.group = c.space.full(c.group)
	k := &core{env: e, config: c, tasks: env.NewGroup(e.Tasks), stopped: e.Tasks.NewCond()}
	k.net = transport.NewClient(e, transport.ClientOptions{
		DialTimeout: c.dialTimeout, OnClose: k.connectionEnded, Limits: transport.Limits{Output: c.outputMax},
		Handler: transport.HandlerFunc(k.serve), Signer: c.signer(),
	})
	if c.spaceV2 != "" {
		k.fields.Add(fieldNamespaced, "true")
		k.fields.Add(fieldNamespace, c.spaceV2)
	}
	if c.stream = r == roleConsumer || r == roleLitePull; c.stream {
		k.fields.Add(fieldRequestType, requestTypeStream)
	}
	k.ids = newIdentity(e, c)
	k.names = newNameServers(k)
	k.brokers = newBrokers(k.masterMoved)
	k.routes = newRoutes(k)
	k.beats = newHeartbeats(k)
	setUp(k)
	k.startLoops(r)
	return k, nil
}

// All requests of consumers that are polled tell that they are such (class StreamTypeRPCHook).
const (
	fieldRequestType  = "ReqT"
	requestTypeStream = "0"
)

func (k *core) startLoops(r role) {
	if _, static := k.config.resolver.(Static); !static {
		k.tasks.Go("refresh name servers", k.names.refresh)
	}
	if r != roleAdmin {
		k.tasks.Go("refresh routes", k.routes.refresh)
		k.tasks.Go("heartbeats", k.beats.run)
	}
}

// enter is the beginning of every public call: the caller becomes a task until it leaves.
func (k *core) enter(ctx context.Context) (*env.Call, error) {
	call, err := k.env.Door.Enter(ctx)
	if err != nil {
		return nil, err
	}
	if k.state != open {
		call.Leave()
		return nil, ErrClosed
	}
	return call, nil
}

// start starts a task of the core, unless it is too late for that.
func (k *core) start(name string, fn func()) bool {
	if k.state >= closing {
		return false
	}
	k.tasks.Go(name, fn)
	return true
}

// pause waits for d. It reports false if the core began to close.
func (k *core) pause(d time.Duration) bool {
	until := k.env.Clock.Now().Add(d)
	for k.state < closing && k.stopped.WaitUntil(until) {
	}
	return k.state < closing
}

// deadline is the end of a call that may take so long, and no longer than its context allows.
func (k *core) deadline(call *env.Call, timeout time.Duration) env.Instant {
	return call.Deadline().Sooner(k.env.Clock.Now().Add(timeout))
}

// left is the time until a deadline that is not Never.
func (k *core) left(deadline env.Instant) time.Duration { return deadline.Sub(k.env.Clock.Now()) }

// ask sends a request to an address and waits for a successful answer.
func (k *core) ask(call *env.Call, address string, request *transport.Request, deadline env.Instant) (*wire.Command, error) {
	request.Fields = k.fields
	response, err := k.net.Call(call, address, request, k.left(deadline))
	if call.Err() == nil && !call.Deadline().Reached(k.env.Clock.Now()) {
		k.doubtAfter(address, err)
	}
	return response, k.explain(call, err)
}

// explain adds to an error what the caller's context or Close has to do with it.
func (k *core) explain(call *env.Call, err error) error {
	var answer *ResponseError
	switch {
	case err == nil, errors.As(err, &answer):
		return err
	case k.state >= closing:
		return fmt.Errorf("%w: %w", ErrClosed, err)
	case call.Err() == nil && call.Deadline().Reached(k.env.Clock.Now()):
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}

// connectionEnded is told by the transport.
func (k *core) connectionEnded(conn *transport.Conn) {
	if k.state < closing {
		// That of a copy, too: it ends when the copy becomes master.
		k.routes.doubtAddress(conn.Address(), true)
	}
	k.beats.connectionEnded(conn.Address())
	if k.lost != nil {
		k.lost(conn.Address())
	}
}

// serve answers what brokers ask a client.
func (k *core) serve(in *transport.Incoming) {
	if k.server == nil || k.state >= closing || !k.server(in) {
		in.Reply().Error(proto.RespRequestCodeNotSupported, fmt.Sprintf("this client does not serve request code %d", in.Command.Code))
	}
}

// lastVisit enters to close, which must be possible with a context that is done. Then the
// deadline for waiting has come already.
func (k *core) lastVisit(ctx context.Context) (*env.Call, env.Instant, error) {
	patience := env.Never
	if ctx.Err() != nil {
		ctx, patience = context.WithoutCancel(ctx), 1
	}
	call, err := k.env.Door.Enter(ctx)
	return call, patience, err
}

// close leaves the groups, ends all connections and returns when all tasks have ended, but for dials that nobody answers (transport.Client.Close).
func (k *core) close(call *env.Call, patience env.Instant) {
	if k.state >= closing {
		// Another call closes: wait for it.
		for k.state < closed {
			k.stopped.Wait()
		}
		return
	}
	k.beats.leaveGroups(call, patience.Sooner(k.env.Clock.Now().Add(k.config.requestTimeout)))
	k.state = closing
	k.stopped.Broadcast()
	k.beats.changed.Broadcast()
	k.net.Close()
	k.tasks.Wait()
	k.state = closed
	k.stopped.Broadcast()
}
