package controller

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/wire"
)

// Options describe a controller. Peers and Self are needed; zero values of the rest mean the defaults.
type Options struct {
	// Listen is host:port ("bindAddress" and "listenPort"); "" means all addresses and the port of its own peer.
	Listen string
	// Group is the name of the controllers together ("controllerDLegerGroup"); "" means "DefaultControllerGroup".
	Group string
	// Peers are all controllers, this one included ("controllerDLegerPeers"). Their ids cannot be changed later.
	Peers []Peer
	// Self is the id of this one ("controllerDLegerSelfId").
	Self string
	// Directory is where its files are, below the node's own ("controllerStorePath"); "" means "controller".
	Directory string
	// ProtectedKeys cannot be changed while running ("configBlackList"). Validate adds those that never can.
	ProtectedKeys []string
	// Settings are what may change while running. What the file of settings holds goes before them.
	Settings Settings
	// Heartbeat is how often a leader tells the other controllers that it lives; 0 means 100 ms.
	Heartbeat time.Duration
	// Election is how long the others wait for it before they elect another; 0 means 500 ms. A leader counts itself as such only while most of
	// them have heard of it within that time.
	Election time.Duration
	// BrokerTimeout is how long a broker may be silent if its heartbeats do not say ("controllerHeartBeatTimeoutMills" of brokers, which
	// goes before it); 0 means 1.5 s.
	BrokerTimeout time.Duration
	// RequestTimeout is how long a request waits until most controllers have it on their disks; 0 means 3 s.
	RequestTimeout time.Duration
	// CompactAt is the size of the log file, in bytes, from which on it is replaced by one that holds the state alone; 0 means 4 MiB.
	CompactAt int64
	// Access says who may do what. The zero value lets everybody do everything.
	Access guard.Options
	// Limits bound what brokers and tools may make this process keep.
	Limits Limits
	// Connections bound what each connection may ask for.
	Connections transport.Limits
	// IdleTimeout ends connections without traffic; 0 means 120 s.
	IdleTimeout time.Duration
	// ShutdownGrace is how long Close waits for requests under way; 0 means 1 s.
	ShutdownGrace time.Duration
}

// Peer is one of the controllers.
type Peer struct {
	ID      string // such as "n0"
	Address string // host:port
}

// String is the form in which peers are configured.
func (p Peer) String() string { return p.ID + "-" + p.Address }

// Limits bound what is kept. Zero fields take the defaults of DefaultLimits.
type Limits struct {
	Groups          int           // broker names
	MembersPerGroup int           // brokers of one name
	Members         int           // brokers of all names
	NameBytes       int           // bytes of one name, address or check code
	TimeoutMin      time.Duration // the shortest and longest time for which a broker may say that it can be silent. Others
	TimeoutMax      time.Duration // are answered with the default.
	Proposals       int           // changes that wait for the other controllers
	ConfigBytes     int           // of the file of settings
}

// DefaultLimits are far above any known installation. With them the state is so small that it fits into one frame of the protocol.
func DefaultLimits() Limits {
	return Limits{
		Groups: 5_000, MembersPerGroup: 32, Members: 20_000, NameBytes: 255,
		TimeoutMin: 300 * time.Millisecond, TimeoutMax: time.Minute, Proposals: 4096, ConfigBytes: 1 << 20,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	return Limits{
		Groups: orDefault(l.Groups, d.Groups), MembersPerGroup: orDefault(l.MembersPerGroup, d.MembersPerGroup), Members: orDefault(l.Members, d.Members),
		NameBytes: orDefault(l.NameBytes, d.NameBytes), TimeoutMin: orDefault(l.TimeoutMin, d.TimeoutMin), TimeoutMax: orDefault(l.TimeoutMax, d.TimeoutMax),
		Proposals: orDefault(l.Proposals, d.Proposals), ConfigBytes: orDefault(l.ConfigBytes, d.ConfigBytes),
	}
}

func orDefault[T int | int64 | time.Duration](value, fallback T) T {
	if value <= 0 {
		return fallback
	}
	return value
}

// Errors of options and settings. They are wrapped with the field or key and the value.
var (
	// ErrOption: a value makes no sense.
	ErrOption = errors.New("unusable option")
	// ErrUnknownKey: no setting that may change while running has that key.
	ErrUnknownKey = errors.New("unknown configuration key")
)

// frameMax is the size of the frames among controllers: a state goes to a new one as a whole.
const frameMax = 64 << 20

// Validate fills in the defaults and refuses what makes no sense. The error is ErrOption.
func (o Options) Validate() (Options, error) {
	o = o.withDefaults()
	if err := checkPeers(o.Peers); err != nil {
		return o, fmt.Errorf("%w: Peers (controllerDLegerPeers): %w", ErrOption, err)
	}
	self := o.peer(o.Self)
	if self == nil {
		return o, fmt.Errorf("%w: Self (controllerDLegerSelfId): %q is none of the peers %s: name one of them", ErrOption, o.Self, formatPeers(o.Peers))
	}
	if o.Listen == "" {
		o.Listen = self.Address[strings.LastIndexByte(self.Address, ':'):]
	}
	switch {
	case o.Election < 3*o.Heartbeat:
		return o, fmt.Errorf("%w: Election: %s is less than three times Heartbeat, which is %s", ErrOption, o.Election, o.Heartbeat)
	case o.BrokerTimeout < o.Limits.TimeoutMin || o.BrokerTimeout > o.Limits.TimeoutMax:
		return o, fmt.Errorf("%w: BrokerTimeout: %s is not between %s and %s", ErrOption, o.BrokerTimeout, o.Limits.TimeoutMin, o.Limits.TimeoutMax)
	case path.IsAbs(o.Directory) || path.Clean(o.Directory) == "." || strings.HasPrefix(path.Clean(o.Directory), ".."):
		return o, fmt.Errorf("%w: Directory: %q: name a directory below the node's own", ErrOption, o.Directory)
	}
	if err := o.Access.Validate(); err != nil {
		return o, fmt.Errorf("%w: %w", ErrOption, err)
	}
	return o, nil
}

func (o Options) withDefaults() Options {
	if o.Group == "" {
		o.Group = "DefaultControllerGroup"
	}
	if o.Directory == "" {
		o.Directory = "controller"
	}
	o.Peers = slices.SortedFunc(slices.Values(o.Peers), func(a, b Peer) int { return strings.Compare(a.ID, b.ID) })
	o.Heartbeat = orDefault(o.Heartbeat, 100*time.Millisecond)
	o.Election = orDefault(o.Election, 500*time.Millisecond)
	o.BrokerTimeout = orDefault(o.BrokerTimeout, 1500*time.Millisecond)
	o.RequestTimeout = orDefault(o.RequestTimeout, 3*time.Second)
	o.CompactAt = orDefault(o.CompactAt, 4<<20)
	o.IdleTimeout = orDefault(o.IdleTimeout, 120*time.Second)
	o.ShutdownGrace = orDefault(o.ShutdownGrace, time.Second)
	o.Limits = o.Limits.withDefaults()
	o.ProtectedKeys = protectedKeys(o.ProtectedKeys)
	if o.Connections.Wire == (wire.Limits{}) {
		o.Connections.Wire.Frame = frameMax
	}
	return o
}

// peer finds one of the controllers, or nil.
func (o *Options) peer(id string) *Peer {
	i := slices.IndexFunc(o.Peers, func(p Peer) bool { return p.ID == id })
	if i < 0 {
		return nil
	}
	return &o.Peers[i]
}

// peersMax is how many controllers there may be: each change waits for most of them.
const peersMax = 9

func checkPeers(peers []Peer) error {
	if len(peers) == 0 || len(peers) > peersMax {
		return fmt.Errorf("there are %d: name 1 to %d controllers, such as n0-10.0.0.1:9878;n1-10.0.0.2:9878;n2-10.0.0.3:9878", len(peers), peersMax)
	}
	for i, p := range peers {
		if p.ID == "" {
			return fmt.Errorf("%s has no id", p)
		}
		if err := checkAddress(p.Address); err != nil {
			return fmt.Errorf("%s: %w", p.ID, err)
		}
		if other := slices.IndexFunc(peers[:i], func(o Peer) bool { return o.Address == p.Address }); other >= 0 {
			return fmt.Errorf("%s and %s have the same address, %s", peers[other].ID, p.ID, p.Address)
		}
		if i > 0 && peers[i-1].ID == p.ID {
			return fmt.Errorf("%s is there twice", p.ID)
		}
	}
	return nil
}

// checkAddress wants host:port, with a port that others can know.
func checkAddress(address string) error {
	port, err := portOf(address)
	switch {
	case err != nil:
		return err
	case strings.ContainsAny(address, ", \t"):
		return fmt.Errorf("address %q: write host:port, with ; between controllers", address)
	case port == 0:
		return fmt.Errorf("address %q: the others must know the port: write one from 1 to 65535", address)
	}
	return nil
}

func portOf(address string) (uint16, error) {
	colon := strings.LastIndexByte(address, ':')
	if colon < 0 {
		return 0, fmt.Errorf("address %q has no port: write host:port", address)
	}
	port, err := strconv.ParseUint(address[colon+1:], 10, 16)
	if err != nil {
		return 0, fmt.Errorf("address %q: the port must be a number up to 65535", address)
	}
	return uint16(port), nil
}

// ParsePeers reads "n0-host:port;n1-host:port" (controllerDLegerPeers). The error says which part is wrong.
func ParsePeers(text string) ([]Peer, error) {
	var peers []Peer
	for part := range strings.SplitSeq(text, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		id, address, ok := strings.Cut(part, "-")
		if !ok {
			return nil, fmt.Errorf("%q: write id-host:port, such as n0-10.0.0.1:9878, with ; between controllers", part)
		}
		peers = append(peers, Peer{ID: strings.TrimSpace(id), Address: strings.TrimSpace(address)})
	}
	sorted := slices.SortedFunc(slices.Values(peers), func(a, b Peer) int { return strings.Compare(a.ID, b.ID) })
	return peers, checkPeers(sorted)
}

func formatPeers(peers []Peer) string {
	texts := make([]string, len(peers))
	for i, p := range peers {
		texts[i] = p.String()
	}
	return strings.Join(texts, ";")
}
