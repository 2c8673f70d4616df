package cluster

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/controller"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/namesrv"
	"github.com/gantrymq/gantry/sim"
)

// Ports on which the nodes listen, as in production.
const (
	nameServerPort = 9876
	controllerPort = 9878
	brokerPort     = 10911
	copiesPort     = 10912
)

// Config says what a cluster consists of.
type Config struct {
	NameServers int
	// Brokers is how many groups of brokers there are, Slaves how many slaves each of them has.
	Brokers, Slaves int
	Controllers     int
	// Elected says that controllers decide which broker of a group is master.
	Elected bool
	// Broker are the settings of every broker; name, address and name servers are filled in.
	Broker broker.Options
	// Vary, if not nil, changes the settings of a broker before each of its starts, which are counted from 1.
	Vary func(n *Node, start int, o *broker.Options)
	// NameServer are the settings of every name server; the address is filled in.
	NameServer namesrv.Options
	// Controller are the settings of every controller; peers and self are filled in.
	Controller controller.Options
}

// Cluster is a set of nodes, each on a machine of its own.
type Cluster struct {
	Kernel      *sim.Kernel
	NameServers []*Node
	Controllers []*Node
	Brokers     []*Node
	Groups      []string // names of the brokers: those of masters and slaves together
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
	for i := range config.Controllers {
		m := k.AddMachine(fmt.Sprintf("controller%d", i), netip.AddrFrom4([4]byte{10, 0, 4, byte(i + 1)}))
		c.Controllers = append(c.Controllers, &Node{Machine: m, make: c.makeController})
	}
	for i := range config.Brokers {
		c.addGroup(fmt.Sprintf("broker%d", i), i)
	}
	return c
}

// addGroup adds a master and its slaves. The machine of the first one has the group's name.
func (c *Cluster) addGroup(name string, number int) {
	c.Groups = append(c.Groups, name)
	for id := range 1 + c.config.Slaves {
		machine := name
		if id > 0 {
			machine = fmt.Sprintf("%s-%d", name, id)
		}
		m := c.Kernel.AddMachine(machine, netip.AddrFrom4([4]byte{10, 0, 2, byte(100*id + number + 1)}))
		c.Brokers = append(c.Brokers, &Node{Machine: m, Group: name, ID: int64(id), Elected: c.config.Elected, make: c.makeBroker})
	}
}

// NameServerAddresses are what brokers and clients are given.
func (c *Cluster) NameServerAddresses() []string {
	addresses := make([]string, len(c.NameServers))
	for i, n := range c.NameServers {
		addresses[i] = netip.AddrPortFrom(n.Machine.Address(), nameServerPort).String()
	}
	return addresses
}

// Peers are the controllers as each of them is told.
func (c *Cluster) Peers() []controller.Peer {
	peers := make([]controller.Peer, len(c.Controllers))
	for i, n := range c.Controllers {
		peers[i] = controller.Peer{ID: fmt.Sprint("n", i), Address: netip.AddrPortFrom(n.Machine.Address(), controllerPort).String()}
	}
	return peers
}

// Start starts every node that is down.
func (c *Cluster) Start() {
	for _, n := range c.Nodes() {
		n.Start()
	}
}

// Nodes are all name servers, controllers and brokers.
func (c *Cluster) Nodes() []*Node {
	return slices.Concat(c.NameServers, c.Controllers, c.Brokers)
}

// Victims are the nodes whose faults matter: the brokers, or the controllers where there are no brokers.
func (c *Cluster) Victims() []*Node {
	if len(c.Brokers) == 0 {
		return c.Controllers
	}
	return c.Brokers
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
	options.Name, options.ID = n.Group, n.ID
	switch {
	case n.ID > 0:
		options.Role = broker.Slave
	case c.config.Slaves > 0:
		options.Replication.Listen = fmt.Sprintf(":%d", copiesPort)
	}
	options.Listen = fmt.Sprintf(":%d", brokerPort)
	options.AdvertisedIP = n.Machine.Address()
	options.NameServers = c.NameServerAddresses()
	if n.Elected {
		options.Role, options.ID = broker.AsyncMaster, 0
		options.Replication.Listen = fmt.Sprintf(":%d", copiesPort)
		for _, peer := range c.Peers() {
			options.Membership.Controllers = append(options.Membership.Controllers, peer.Address)
		}
	}
	if c.config.Vary != nil {
		c.config.Vary(n, n.starts, &options)
	}
	if n.Elected {
		m, err := broker.NewMember(e, options)
		if err != nil {
			return nil, err
		}
		return member{m}, nil
	}
	return broker.New(e, options)
}

func (c *Cluster) makeController(n *Node, e env.Env) (service, error) {
	options := c.config.Controller
	options.Peers = c.Peers()
	options.Self = options.Peers[slices.Index(c.Controllers, n)].ID
	s, err := controller.New(e, options)
	if err != nil {
		return nil, err
	}
	return controllerServer{s}, nil
}

// member is a broker whose role controllers decide.
type member struct{ *broker.Member }

// controllerServer gives a controller the shape of a service.
type controllerServer struct{ *controller.Server }

func (s controllerServer) Close() error {
	s.Server.Close()
	return nil
}

// nameServer gives a name server the shape of a service.
type nameServer struct{ *namesrv.Server }

func (s nameServer) Close() error {
	s.Server.Close()
	return nil
}
