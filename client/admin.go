package client

import (
	"context"
	"fmt"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// What administration speaks of.
type (
	// TopicConfig is what a broker knows of one topic.
	TopicConfig = proto.TopicConfig
	// Route tells which brokers have queues of a topic.
	Route = proto.Route
	// ClusterInfo lists clusters and their brokers.
	ClusterInfo = proto.ClusterInfo
	// TopicStats tells how far the queues of a topic reach.
	TopicStats = proto.TopicStatsTable
)

// Admin looks after clusters: topics, brokers and the configuration that name servers hold (class
// DefaultMQAdminExt). It may be used by any number of goroutines.
//
// Each request may take as long as WithRequestTimeout says, and no longer than the context. Errors are ErrClosed, the
// error of ctx, ErrNoNameServer, ErrTopicNotFound, ErrNoBroker, ErrTimeout, ErrNotSent and *ResponseError.
type Admin struct{ core *core }

// NewAdmin returns an Admin. WithNameServers is required. The error is an *OptionError. See NewProducer for who may
// call.
func NewAdmin(e env.Env, options ...AdminOption) (*Admin, error) {
	c := defaultConfig()
	for _, o := range options {
		o.applyAdmin(c)
	}
	k, err := newCore(e, c, roleAdmin, func(*core) {})
	if err != nil {
		return nil, err
	}
	return &Admin{core: k}, nil
}

// Close ends all connections and returns when nothing is left running. Calls under way fail with ErrClosed.
// Closing again does nothing.
func (a *Admin) Close(ctx context.Context) error {
	call, patience, err := a.core.lastVisit(ctx)
	if err != nil {
		return err
	}
	defer call.Leave()
	a.core.close(call, patience)
	return nil
}

// full is the name of a topic or group as brokers have it.
func (a *Admin) full(name string) string { return a.core.config.space.full(name) }

// decoder returns one for the messages that a broker has found.
func (a *Admin) decoder() *decoder {
	return &decoder{limit: a.core.config.unpackedMax, space: a.core.config.space}
}

// askBroker sends one request to a broker.
func (a *Admin) askBroker(ctx context.Context, address string, request *transport.Request) (*wire.Command, error) {
	call, err := a.core.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer call.Leave()
	return a.core.ask(call, address, request, a.core.deadline(call, a.core.config.requestTimeout))
}

// askNameServer sends one request to one name server.
func (a *Admin) askNameServer(ctx context.Context, code int32, header proto.HeaderEncoder) (*wire.Command, error) {
	call, err := a.core.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer call.Leave()
	deadline := a.core.deadline(call, a.core.config.requestTimeout)
	return a.core.names.ask(call, &transport.Request{Code: code, Header: header}, deadline)
}

// tellNameServers sends one request to all name servers.
func (a *Admin) tellNameServers(ctx context.Context, code int32, header proto.HeaderEncoder) ([]*wire.Command, error) {
	call, err := a.core.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer call.Leave()
	deadline := a.core.deadline(call, a.core.config.requestTimeout)
	return a.core.names.tell(call, &transport.Request{Code: code, Header: header}, deadline)
}

// NameServers lists the addresses of the name servers, the one in use first.
func (a *Admin) NameServers(ctx context.Context) ([]string, error) {
	call, err := a.core.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer call.Leave()
	return a.core.names.list(call, a.core.deadline(call, a.core.config.requestTimeout))
}

// Cluster lists all clusters and brokers that a name server knows.
func (a *Admin) Cluster(ctx context.Context) (*ClusterInfo, error) {
	response, err := a.askNameServer(ctx, proto.ReqGetBrokerClusterInfo, nil)
	if err != nil {
		return nil, err
	}
	return proto.UnmarshalClusterInfo(response.Body)
}

// Masters lists the addresses of the masters of a cluster, in the order of their broker names. The error is
// ErrNoBroker if the cluster is unknown or has none.
func (a *Admin) Masters(ctx context.Context, cluster string) ([]string, error) {
	info, err := a.Cluster(ctx)
	if err != nil {
		return nil, err
	}
	var masters, known []string
	for _, c := range info.Clusters {
		known = append(known, c.Name)
		if c.Name == cluster {
			masters = append(masters, mastersOf(info, c.BrokerNames)...)
		}
	}
	if len(masters) == 0 {
		return nil, fmt.Errorf("%w: cluster %q has no master; clusters are %q", ErrNoBroker, cluster, known)
	}
	return masters, nil
}

func mastersOf(info *ClusterInfo, names []string) []string {
	var masters []string
	for i := range info.Brokers {
		b := &info.Brokers[i]
		if address, ok := b.Master(); ok && slices.Contains(names, b.BrokerName) {
			masters = append(masters, address)
		}
	}
	return masters
}

// RuntimeInfo is what a broker tells of itself, by the names it uses.
func (a *Admin) RuntimeInfo(ctx context.Context, address string) (map[string]string, error) {
	response, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqGetBrokerRuntimeInfo})
	if err != nil {
		return nil, err
	}
	table, err := proto.UnmarshalKVTable(response.Body)
	if err != nil {
		return nil, err
	}
	return table.Table, nil
}

// BrokerConfig is the configuration of a broker.
func (a *Admin) BrokerConfig(ctx context.Context, address string) (proto.ConfigText, error) {
	response, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqGetBrokerConfig})
	if err != nil {
		return nil, err
	}
	return proto.ParseConfigText(response.Body)
}

// UpdateBrokerConfig changes settings of a broker while it runs. Not all can be. The note is what the broker has to say about
// them, such as that they will not outlive it; mostly it is "".
func (a *Admin) UpdateBrokerConfig(ctx context.Context, address string, changes proto.ConfigText) (note string, err error) {
	response, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqUpdateBrokerConfig, Body: changes.Marshal()})
	if err != nil {
		return "", err
	}
	return response.Remark, nil
}

// WipeWritePermission takes the write permission from all topics of a broker name, at every name server, so that
// producers leave it. It returns the number of topics changed.
func (a *Admin) WipeWritePermission(ctx context.Context, brokerName string) (int, error) {
	responses, err := a.tellNameServers(ctx, proto.ReqWipeWritePermOfBroker, &proto.WipeWritePermOfBroker{BrokerName: brokerName})
	topics := 0
	for _, response := range responses {
		var h proto.WipeWritePermOfBrokerResponse
		if h.DecodeFields(response.Fields) == nil {
			topics = max(topics, int(h.Topics))
		}
	}
	return topics, err
}

// AddWritePermission undoes WipeWritePermission.
func (a *Admin) AddWritePermission(ctx context.Context, brokerName string) (int, error) {
	responses, err := a.tellNameServers(ctx, proto.ReqAddWritePermOfBroker, &proto.AddWritePermOfBroker{BrokerName: brokerName})
	topics := 0
	for _, response := range responses {
		var h proto.AddWritePermOfBrokerResponse
		if h.DecodeFields(response.Fields) == nil {
			topics = max(topics, int(h.Topics))
		}
	}
	return topics, err
}
