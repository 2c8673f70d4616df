package client

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// Broker is one broker process as name servers know it.
type Broker struct {
	Cluster string
	Name    string // shared by a master and its slaves
	ID      int64  // proto.MasterID is the master
	Address string // host:port
}

// String shows the name and the address, and the id of a slave.
func (b Broker) String() string {
	if b.IsMaster() {
		return b.Name + " at " + b.Address
	}
	return b.Name + " (slave " + strconv.FormatInt(b.ID, 10) + ") at " + b.Address
}

// IsMaster reports whether the broker takes messages and changes.
func (b Broker) IsMaster() bool { return b.ID == proto.MasterID }

// Brokers lists all brokers of a cluster, or of all clusters if it is "", by name and id. The error is ErrNoBroker if
// there is none.
func (a *Admin) Brokers(ctx context.Context, cluster string) ([]Broker, error) {
	info, err := a.Cluster(ctx)
	if err != nil {
		return nil, err
	}
	brokers := membersOf(info.Brokers, cluster)
	if len(info.Brokers) == 0 {
		return nil, fmt.Errorf("%w: the name server knows none", ErrNoBroker)
	}
	if len(brokers) == 0 {
		var known []string
		for _, c := range info.Clusters {
			known = append(known, c.Name)
		}
		return nil, fmt.Errorf("%w: cluster %q has no broker; clusters are %q", ErrNoBroker, cluster, known)
	}
	return brokers, nil
}

// BrokersOf lists the masters that have queues of a topic, by name. Errors are ErrTopicNotFound, and ErrNoBroker if no
// master is left.
func (a *Admin) BrokersOf(ctx context.Context, topic string) ([]Broker, error) {
	route, err := a.Route(ctx, topic)
	if err != nil {
		return nil, err
	}
	masters := mastersAmong(membersOf(route.Brokers, ""))
	if len(masters) == 0 {
		return nil, fmt.Errorf("%w: no master has queues of topic %s", ErrNoBroker, topic)
	}
	return masters, nil
}

// membersOf is sorted by name and id.
func membersOf(routes []proto.BrokerRoute, cluster string) []Broker {
	var brokers []Broker
	for i := range routes {
		r := &routes[i]
		if cluster != "" && r.Cluster != cluster {
			continue
		}
		for _, address := range r.Addresses {
			brokers = append(brokers, Broker{r.Cluster, r.BrokerName, address.ID, address.Address})
		}
	}
	slices.SortFunc(brokers, func(x, y Broker) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.ID, y.ID))
	})
	return brokers
}

func mastersAmong(brokers []Broker) []Broker {
	return slices.DeleteFunc(slices.Clone(brokers), func(b Broker) bool { return !b.IsMaster() })
}

// relayTimeout is for requests that a broker hands on to a client, which may take 10 s to answer.
const relayTimeout = 12 * time.Second

// askBrokerLong is askBroker for requests that take longer than others.
func (a *Admin) askBrokerLong(ctx context.Context, address string, request *transport.Request) (*wire.Command, error) {
	call, err := a.core.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer call.Leave()
	timeout := max(a.core.config.requestTimeout, relayTimeout)
	return a.core.ask(call, address, request, a.core.deadline(call, timeout))
}

// bodyOf asks a broker or a name server and reads the body of the answer.
func bodyOf[T any](ctx context.Context, a *Admin, address string, code int32, header proto.HeaderEncoder, read func([]byte) (T, error)) (T, error) {
	response, err := a.askBroker(ctx, address, &transport.Request{Code: code, Header: header})
	return readBody(address, code, response, err, read)
}

// readBody says whose answer could not be read.
func readBody[T any](address string, code int32, response *wire.Command, err error, read func([]byte) (T, error)) (T, error) {
	var none T
	if err != nil {
		return none, err
	}
	body, err := read(response.Body)
	if err != nil {
		return none, fmt.Errorf("%s: the answer of %s cannot be read: %w", proto.RequestName(code), address, err)
	}
	return body, nil
}
