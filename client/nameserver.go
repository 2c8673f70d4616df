package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"go.uber.org/zap"
)

// Resolver tells where the name servers are. An address is host:port.
type Resolver interface {
	// Resolve returns the list as it is now. It runs outside the node, may wait for a few seconds, and is
	// not called twice at once by one client. After an error the last list stays in use.
	Resolve() ([]string, error)
}

// Static is a Resolver whose list does not change. One text may hold several addresses
// joined by semicolons.
type Static []string

// Resolve returns the list.
func (s Static) Resolve() ([]string, error) { return s, nil }

// nameServers sends requests to one of the name servers: the one that answered last,
// or the next if it does not answer.
type nameServers struct {
	core      *core
	addresses []string // shuffled, so that clients spread; replaced, never changed
	current   int      // index of the one that answered last; < max(1, len(addresses))
	resolving *env.Future[error]
}

func newNameServers(k *core) *nameServers { return &nameServers{core: k} }

// refreshFirst is when a list that may change is resolved again after the start.
const refreshFirst = 10 * time.Second

// refresh is a task that keeps the list up to date.
func (n *nameServers) refresh() {
	every := n.core.config.nameServerRefreshEvery
	for wait := min(refreshFirst, every); n.core.pause(wait); wait = every {
		// An error was logged, and the last list stays in use.
		_ = n.resolve(nil, env.Never)
	}
}

// resolve asks the resolver, or waits for a caller that does.
func (n *nameServers) resolve(call *env.Call, deadline env.Instant) error {
	if n.resolving == nil {
		outcome := env.NewFuture[error](n.core.env.Tasks)
		if !n.core.start("resolve name servers", func() { n.askResolver(outcome) }) {
			return ErrClosed
		}
		n.resolving = outcome
	}
	err, resolved := n.resolving.Wait(call, deadline)
	switch {
	case resolved:
		return err
	case call.Err() != nil:
		return call.Err()
	}
	return env.ErrDeadline
}

func (n *nameServers) askResolver(outcome *env.Future[error]) {
	var found []string
	var err error
	n.core.env.Tasks.Offload(func() { found, err = n.core.config.resolver.Resolve() })
	addresses := splitAddresses(found)
	if err == nil && len(addresses) == 0 {
		err = errors.New("the list is empty")
	}
	if err != nil {
		n.core.env.Log.Warn("name servers could not be resolved; the last list stays in use", zap.Error(err))
	} else {
		n.replace(addresses)
	}
	n.resolving = nil
	outcome.Set(err)
}

// replace takes a new list. The name server in use stays in use if it is still there.
func (n *nameServers) replace(addresses []string) {
	if slices.Equal(addresses, slices.Sorted(slices.Values(n.addresses))) {
		return
	}
	used := ""
	if len(n.addresses) > 0 {
		used = n.addresses[n.current]
	}
	env.Shuffle(n.core.env.Rand, len(addresses), func(i, j int) {
		addresses[i], addresses[j] = addresses[j], addresses[i]
	})
	n.addresses, n.current = addresses, max(0, slices.Index(addresses, used))
	n.core.env.Log.Info("name servers", zap.Strings("addresses", addresses))
	if used != "" && !slices.Contains(addresses, used) {
		n.core.hangUp(used)
	}
}

// hangUp ends the connection to an address that is not to be used any more.
func (k *core) hangUp(address string) {
	if !slices.Contains(k.net.Addresses(), address) {
		return
	}
	if conn, err := k.net.Conn(nil, address, k.env.Clock.Now()); err == nil {
		conn.Close()
	}
}

// splitAddresses takes lists joined by semicolons apart and returns the addresses sorted, each once. Of the
// form "http://…/host:port" that clouds hand out, only what follows the last slash counts.
func splitAddresses(lists []string) []string {
	var addresses []string
	for _, list := range lists {
		for address := range strings.SplitSeq(list, ";") {
			address = strings.TrimSpace(address)
			if strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://") {
				address = address[strings.LastIndexByte(address, '/')+1:]
			}
			if address != "" {
				addresses = append(addresses, address)
			}
		}
	}
	slices.Sort(addresses)
	return slices.Compact(addresses)
}

// list returns the name servers to ask, the preferred one first, resolving them if that
// has not happened yet.
func (n *nameServers) list(call *env.Call, deadline env.Instant) ([]string, error) {
	if len(n.addresses) == 0 {
		if err := n.resolve(call, deadline); err != nil && len(n.addresses) == 0 {
			return nil, fmt.Errorf("%w: they could not be resolved: %w", ErrNoNameServer, err)
		}
	}
	return append(slices.Clone(n.addresses[n.current:]), n.addresses[:n.current]...), nil
}

// ask sends a request to the preferred name server and, if it does not answer or cannot help, to the
// next, until all were asked or the deadline has come. Each gets an equal share of the time left.
func (n *nameServers) ask(call *env.Call, request *transport.Request, deadline env.Instant) (*wire.Command, error) {
	list, err := n.list(call, deadline)
	if err != nil {
		return nil, err
	}
	var failures []error
	var refusal error // an answer that another name server may know better
	for i, address := range list {
		response, err := n.askOne(call, address, request, n.share(deadline, len(list)-i))
		switch {
		case err == nil, response != nil && !anotherMayKnow(response.Code):
			n.prefer(address)
			return response, err
		case response != nil:
			refusal = err
		}
		failures = append(failures, err)
		if call.Err() != nil || n.core.state >= closing || deadline.Reached(n.core.env.Clock.Now()) {
			break
		}
	}
	if refusal != nil {
		return nil, refusal
	}
	return nil, fmt.Errorf("%w answered %s: %w", ErrNoNameServer, proto.RequestName(request.Code), join(failures))
}

// share is the deadline of one name server out of those that are still to be asked.
func (n *nameServers) share(deadline env.Instant, servers int) env.Instant {
	return n.core.env.Clock.Now().Add(n.core.left(deadline) / time.Duration(servers))
}

// anotherMayKnow reports whether a code may only tell of the state of one name server: it starts, stops, or has
// not heard of all brokers yet.
func anotherMayKnow(code int32) bool {
	switch code {
	case proto.RespSystemError, proto.RespSystemBusy, proto.RespGoAway, proto.RespTopicNotExist:
		return true
	}
	return false
}

// askOne returns the response, if there is one, also with an error code.
func (n *nameServers) askOne(call *env.Call, address string, request *transport.Request, deadline env.Instant) (*wire.Command, error) {
	conn, err := n.core.net.Conn(call, address, deadline)
	if err != nil {
		return nil, n.core.explain(call, err)
	}
	n.core.ids.learn(conn.Local().Addr())
	return n.core.ask(call, address, request, deadline)
}

// prefer makes an address the first to be asked from now on, if it is still in the list.
func (n *nameServers) prefer(address string) {
	if i := slices.Index(n.addresses, address); i >= 0 {
		n.current = i
	}
}

// tell sends a request that changes something to every name server, because they do not
// tell each other. It fails if one of them does.
func (n *nameServers) tell(call *env.Call, request *transport.Request, deadline env.Instant) ([]*wire.Command, error) {
	list, err := n.list(call, deadline)
	if err != nil {
		return nil, err
	}
	var responses []*wire.Command
	var failures []error
	for i, address := range list {
		response, err := n.askOne(call, address, request, n.share(deadline, len(list)-i))
		if err != nil {
			failures = append(failures, err)
			continue
		}
		responses = append(responses, response)
	}
	return responses, join(failures)
}
