package cluster

import (
	"fmt"
	"net/netip"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/namesrv"
	"github.com/gantrymq/gantry/sim"
)

// Ports on which the nodes listen, as in production.
const (
	nameServerPort = 9876
	brokerPort     = 10911
)

// Config says what a cluster consists of.
type Config struct {
	NameServers int
	Brokers     int
	// Broker are the settings of every broker; name, address and name servers are filled in.
	Broker broker.Options
	// Vary, if not nil, changes the settings of a broker before each of its starts, which are counted from 1.
	Vary func(n *Node, start int, o *broker.Options)
	// NameServer are the settings of every name server; the address is filled in.
	NameServer namesrv.Options
}

// Cluster is a set of nodes, each on a machine of its own.
type Cluster struct {
	Kernel      *sim.Kernel
	NameServers []*Node
	Brokers     []*Node
	config      Config
	clients     int
}

// New adds the machines of a cluster to a world. Nothing runs yet.
func New(k *sim.Kernel, config Config) *Cluster {
	c := &Cluster{Kernel: k, config: config}
	for i := range config.NameServers {
		m := k.AddMachine(fmt.Sprintf("namesrv%d", i), netip.AddrFrom4([4]byte{10, 0, 1, byte(i + 1)}))
		c.NameServers = append(c.NameServers, &Node{Machine: m, make: c.makeNameServer})
	}
	for i := range config.Brokers {
		m := k.AddMachine(fmt.Sprintf("broker%d", i), netip.AddrFrom4([4]byte{10, 0, 2, byte(i + 1)}))
		c.Brokers = append(c.Brokers, &Node{Machine: m, make: c.makeBroker})
	}
	return c
}

// NameServerAddresses are what brokers and clients are given.
func (c *Cluster) NameServerAddresses() []string {
	addresses := make([]string, len(c.NameServers))
	for i, n := range c.NameServers {
		addresses[i] = netip.AddrPortFrom(n.Machine.Address(), nameServerPort).String()
	}
	return addresses
}

// Start starts every node that is down.
func (c *Cluster) Start() {
	for _, n := range c.Nodes() {
		n.Start()
	}
}

// Nodes are all name servers and brokers.
func (c *Cluster) Nodes() []*Node {
	return append(append([]*Node(nil), c.NameServers...), c.Brokers...)
}

// AddClient adds a machine for a client and switches it on.
func (c *Cluster) AddClient() (*sim.Machine, env.Env) {
	c.clients++
	m := c.Kernel.AddMachine(fmt.Sprintf("client%d", c.clients-1), netip.AddrFrom4([4]byte{10, 0, 3, byte(c.clients)}))
	return m, m.Boot(m.Name())
}

func (c *Cluster) makeNameServer(n *Node, e env.Env) (service, error) {
	options := c.config.NameServer
	options.Listen = fmt.Sprintf(":%d", nameServerPort)
	s, err := namesrv.New(e, options)
	if err != nil {
		return nil, err
	}
	return nameServer{s}, nil
}

func (c *Cluster) makeBroker(n *Node, e env.Env) (service, error) {
	options := c.config.Broker
	options.Name = n.Machine.Name()
	options.Listen = fmt.Sprintf(":%d", brokerPort)
	options.AdvertisedIP = n.Machine.Address()
	options.NameServers = c.NameServerAddresses()
	if c.config.Vary != nil {
		c.config.Vary(n, n.starts, &options)
	}
	return broker.New(e, options)
}

// nameServer gives a name server the shape of a service.
type nameServer struct{ *namesrv.Server }

func (s nameServer) Close() error {
	s.Server.Close()
	return nil
}
