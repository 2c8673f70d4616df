package namesrv

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/transport"
)

// Options describe a name server. The zero value is a name server with the
// defaults of the protocol.
type Options struct {
	// Listen is host:port (keys "bindAddress" and "listenPort"); "" means ":9876".
	Listen string
	// KVConfigPath is the file of the key-value config, below the node's directory
	// ("kvConfigPath"); "" means "kvConfig.json".
	KVConfigPath string
	// ConfigPath is the file of settings that were changed while running, below the node's
	// directory ("configStorePath"); "" means "namesrv.properties".
	ConfigPath string
	// ProtectedKeys cannot be changed while running ("configBlackList"). Validate adds those that
	// never can.
	ProtectedKeys []string
	// Settings are what may change while running. What ConfigPath holds goes before them.
	Settings Settings
	// Access says who may do what. The zero value lets everybody do everything.
	Access guard.Options
	// Limits bound what brokers and tools may make this process keep.
	Limits Limits
	// Connections bound what each connection may ask for.
	Connections transport.Limits
	// IdleTimeout ends connections without traffic ("serverChannelMaxIdleTimeSeconds"); 0 means 120 s.
	IdleTimeout time.Duration
	// ShutdownGrace is how long Close waits for requests under way; 0 means 1 s.
	ShutdownGrace time.Duration
}

// Limits bound the tables. Zero fields take the defaults of DefaultLimits.
type Limits struct {
	BrokerNames     int           // broker names in all clusters
	MembersPerName  int           // brokers, master and slaves, of one broker name
	TopicsPerBroker int           // topics of one broker name
	NameBytes       int           // bytes of one name of a cluster, broker or topic, and of an address
	LiveForMax      time.Duration // the longest that a registration may ask to live without a sign of life
	KVEntries       int           // keys in all namespaces
	KVBytes         int           // namespaces, keys and values together
	ConfigBytes     int           // of the file of settings
}

// DefaultLimits are far above any known installation.
func DefaultLimits() Limits {
	return Limits{
		BrokerNames: 10_000, MembersPerName: 64, TopicsPerBroker: 500_000, NameBytes: 1024,
		LiveForMax: 24 * time.Hour, KVEntries: 65_536, KVBytes: 8 << 20, ConfigBytes: 1 << 20,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	if l.LiveForMax <= 0 {
		l.LiveForMax = d.LiveForMax
	}
	l.BrokerNames = orDefault(l.BrokerNames, d.BrokerNames)
	l.MembersPerName = orDefault(l.MembersPerName, d.MembersPerName)
	l.TopicsPerBroker = orDefault(l.TopicsPerBroker, d.TopicsPerBroker)
	l.NameBytes = orDefault(l.NameBytes, d.NameBytes)
	l.KVEntries = orDefault(l.KVEntries, d.KVEntries)
	l.KVBytes = orDefault(l.KVBytes, d.KVBytes)
	l.ConfigBytes = orDefault(l.ConfigBytes, d.ConfigBytes)
	return l
}

func orDefault(value, fallback int) int {
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

const defaultListen = ":9876"

// Validate fills in the defaults and refuses what makes no sense. The error is ErrOption.
func (o Options) Validate() (Options, error) {
	o.Listen = orText(o.Listen, defaultListen)
	o.KVConfigPath = orText(o.KVConfigPath, "kvConfig.json")
	o.ConfigPath = orText(o.ConfigPath, "namesrv.properties")
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = 120 * time.Second
	}
	if o.ShutdownGrace <= 0 {
		o.ShutdownGrace = time.Second
	}
	o.Limits = o.Limits.withDefaults()
	o.Settings = o.Settings.withDefaults()
	o.ProtectedKeys = protectedKeys(o.ProtectedKeys)
	if _, _, err := splitAddress(o.Listen); err != nil {
		return o, fmt.Errorf("%w: Listen: %w", ErrOption, err)
	}
	if err := o.Access.Validate(); err != nil {
		return o, fmt.Errorf("%w: %w", ErrOption, err)
	}
	for _, file := range []string{o.KVConfigPath, o.ConfigPath} {
		if err := checkPath(file); err != nil {
			return o, err
		}
	}
	if path.Clean(o.KVConfigPath) == path.Clean(o.ConfigPath) {
		return o, fmt.Errorf("%w: KVConfigPath and ConfigPath are both %q: give each its own file", ErrOption, o.ConfigPath)
	}
	return o, nil
}

func orText(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// checkPath keeps files below the node's directory, where the world wants them.
func checkPath(file string) error {
	if path.IsAbs(file) || path.Clean(file) == "." || strings.HasPrefix(path.Clean(file), "..") {
		return fmt.Errorf("%w: path %q: name a file below the node's directory", ErrOption, file)
	}
	return nil
}

// splitAddress takes host:port apart. The host may be empty or in brackets.
func splitAddress(address string) (host string, port uint16, err error) {
	colon := strings.LastIndexByte(address, ':')
	if colon < 0 {
		return "", 0, fmt.Errorf("address %q has no port: write host:port", address)
	}
	number, err := strconv.ParseUint(address[colon+1:], 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("address %q: the port must be a number up to 65535", address)
	}
	return address[:colon], uint16(number), nil
}

// parseDuration reads a whole number of units, greater than zero.
func parseDuration(text string, unit time.Duration) (time.Duration, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number <= 0 || number > int64(maxDuration/unit) {
		return 0, fmt.Errorf("%q: give a whole number from 1 to %d", text, maxDuration/unit)
	}
	return time.Duration(number) * unit, nil
}

// maxDuration is longer than any sensible interval, and far from overflow.
const maxDuration = 10 * 365 * 24 * time.Hour
