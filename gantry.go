// Package gantry is the client library for applications: producers, consumers and administration, over the real
// machine. It speaks RocketMQ's protocol, so it works with Gantry's brokers and with others.
//
//	p, err := gantry.NewProducer(client.WithGroup("checkout"), client.WithNameServers("10.0.0.1:9876"))
//	…
//	result, err := p.Send(ctx, gantry.NewMessage("orders", body, client.Tag("paid")))
//
// Options, errors and results are in package client. This package adds what only the real machine can know: the
// process's number, its address, the environment, and HTTP.
//
// # Finding name servers
//
// The first of these that is given counts:
//
//  1. client.WithNameServers, which an application may also fill from its own configuration or flags;
//  2. client.WithResolver, for instance with an HTTPResolver;
//  3. the environment variable NAMESRV_ADDR, such as "10.0.0.1:9876;10.0.0.2:9876".
//
// # Encryption
//
// WithTLS encrypts connections, as does the environment variable ROCKETMQ_TLS_ENABLE=true with the others that tls.go lists.
//
// # Who asks
//
// client.WithCredentials signs requests, as do the environment variables ROCKETMQ_ACCESS_KEY and ROCKETMQ_SECRET_KEY.
//
// Each producer, consumer and Admin has connections of its own. An application that wants its logs or a fixed
// seed makes a world with osenv.New and passes it to the constructors of package client.
package gantry

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env/osenv"
)

// What applications handle most.
type (
	// Producer sends messages.
	Producer = client.Producer
	// PushConsumer gives messages to a handler or a loop, and shares them with the other members of its group.
	PushConsumer = client.PushConsumer
	// Delivery is a message in a loop over PushConsumer.Messages.
	Delivery = client.Delivery
	// LitePullConsumer pulls ahead and gives messages to whoever polls.
	LitePullConsumer = client.LitePullConsumer
	// PopConsumer takes messages that it must acknowledge one by one, without holding queues.
	PopConsumer = client.PopConsumer
	// PoppedMessage is what it takes.
	PoppedMessage = client.PoppedMessage
	// PullConsumer reads queues where and when the application wants.
	PullConsumer = client.PullConsumer
	// Admin looks after topics, brokers and name servers.
	Admin = client.Admin
	// Message is what is sent.
	Message = client.Message
	// Received is a message as it is consumed.
	Received = client.Received
	// Queue names one queue of a topic at one broker name.
	Queue = client.Queue
	// SendResult tells where a message was stored.
	SendResult = client.SendResult
	// Tx is a transaction that has begun.
	Tx = client.Tx
	// TransactionResult tells what became of a transaction.
	TransactionResult = client.TransactionResult
	// PullResult is what a pull brought.
	PullResult = client.PullResult
)

// NewMessage returns a message. The body is not copied: it must not change until the send is over.
func NewMessage(topic string, body []byte, options ...client.MessageOption) *Message {
	return client.NewMessage(topic, body, options...)
}

// NewProducer returns a producer. client.WithGroup is required. The first send connects. Close it when it is no
// longer needed. The error is a *client.OptionError.
func NewProducer(options ...client.ProducerOption) (*Producer, error) {
	world, err := osenv.New(osenv.Options{Node: "producer"})
	if err != nil {
		return nil, err
	}
	return client.NewProducer(world.Env, withMachine(options)...)
}

// NewPullConsumer returns a pull consumer. client.WithGroup is required. The first call connects. Close it when it is
// no longer needed. The error is a *client.OptionError.
func NewPullConsumer(options ...client.ConsumerOption) (*PullConsumer, error) {
	world, err := osenv.New(osenv.Options{Node: "consumer"})
	if err != nil {
		return nil, err
	}
	return client.NewPullConsumer(world.Env, withMachine(options)...)
}

// NewPushConsumer returns a push consumer. client.WithGroup is required, and client.WithHandler, unless it is used in loops over
// Messages. Start connects. Close it when it is no longer needed. The error is a *client.OptionError, or, with client.Broadcasting,
// that of the directory for offsets: the one that EnvironmentOffsets names, else .rocketmq_offsets in the user's home.
func NewPushConsumer(options ...client.PushOption) (*PushConsumer, error) {
	world, err := consumerWorld(client.NeedsDisk(options...))
	if err != nil {
		return nil, err
	}
	return client.NewPushConsumer(world.Env, withMachine(options)...)
}

// NewLitePullConsumer returns a lite pull consumer. client.WithGroup is required. The first call connects. Close it when it is no longer
// needed. The error is as that of NewPushConsumer.
func NewLitePullConsumer(options ...client.LitePullOption) (*LitePullConsumer, error) {
	world, err := consumerWorld(client.LitePullNeedsDisk(options...))
	if err != nil {
		return nil, err
	}
	return client.NewLitePullConsumer(world.Env, withMachine(options)...)
}

// NewPopConsumer returns a pop consumer. client.WithGroup is required. The first call connects. Close it when it is no longer needed. The
// error is a *client.OptionError.
func NewPopConsumer(options ...client.PopOption) (*PopConsumer, error) {
	world, err := consumerWorld(false)
	if err != nil {
		return nil, err
	}
	return client.NewPopConsumer(world.Env, withMachine(options)...)
}

// consumerWorld is the world of a consumer, with a disk if offsets are to be kept there.
func consumerWorld(needsDisk bool) (*osenv.World, error) {
	settings := osenv.Options{Node: "consumer"}
	if needsDisk {
		dir, err := offsetsDirectory()
		if err != nil {
			return nil, err
		}
		settings.Root = dir
	}
	return osenv.New(settings)
}

// EnvironmentOffsets is the environment variable that names the directory for offsets of broadcasting, as for other Go clients.
const EnvironmentOffsets = "rocketmq.client.localOffsetStoreDir"

func offsetsDirectory() (string, error) {
	if dir := os.Getenv(EnvironmentOffsets); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no directory for offsets: set %s: %w", EnvironmentOffsets, err)
	}
	return home + string(os.PathSeparator) + ".rocketmq_offsets", nil
}

// NewAdmin returns an Admin. The first call connects. Close it when it is no longer needed. The error is a
// *client.OptionError.
func NewAdmin(options ...client.AdminOption) (*Admin, error) {
	world, err := osenv.New(osenv.Options{Node: "admin"})
	if err != nil {
		return nil, err
	}
	return client.NewAdmin(world.Env, withMachine(options)...)
}

// EnvironmentNameServers is the environment variable that lists name servers, joined by semicolons.
const EnvironmentNameServers = "NAMESRV_ADDR"

// Environment variables that sign the requests of applications that do not call client.WithCredentials, and those of the tools.
const (
	// EnvironmentAccessKey is the name of the account.
	EnvironmentAccessKey = "ROCKETMQ_ACCESS_KEY"
	// EnvironmentSecretKey is its secret.
	EnvironmentSecretKey = "ROCKETMQ_SECRET_KEY"
)

// withMachine puts what the machine knows in front of the application's options, which may
// say otherwise.
func withMachine[O any](options []O) []O {
	own := []client.Option{client.WithProcess(os.Getpid()), client.WithClientAddress(localAddress())}
	if list := os.Getenv(EnvironmentNameServers); list != "" {
		own = append(own, client.WithNameServers(list))
	}
	if os.Getenv(EnvironmentTLS) != "" {
		own = append(own, client.WithTLS(environmentTLS{}))
	}
	if key := os.Getenv(EnvironmentAccessKey); key != "" {
		own = append(own, client.WithCredentials(key, os.Getenv(EnvironmentSecretKey)))
	}
	var all []O
	for _, o := range own {
		// An Option is an option of every role.
		all = append(all, o.(O))
	}
	return append(all, options...)
}

// localAddress is the address that others would know this machine by, as far as it can tell: the first public IPv4
// address, else the last private one, else the first IPv6 address, public ones first. Invalid if there is none.
func localAddress() netip.Addr {
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		// The address of the first connection will do.
		return netip.Addr{}
	}
	var addresses []netip.Addr
	for _, a := range interfaces {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			addresses = append(addresses, prefix.Addr().Unmap().WithZone(""))
		}
	}
	return chooseAddress(addresses)
}

func chooseAddress(addresses []netip.Addr) netip.Addr {
	var chosen netip.Addr
	for _, a := range addresses {
		public := a.IsGlobalUnicast() && !a.IsPrivate()
		switch {
		case a.IsLoopback() || a.IsUnspecified():
		case a.Is4() && public:
			return a
		case a.Is4():
			chosen = a
		case chosen.Is4():
		case !chosen.IsValid(), public && (chosen.IsPrivate() || !chosen.IsGlobalUnicast()):
			chosen = a
		}
	}
	return chosen
}

// HTTPResolver asks an HTTP endpoint for the list of name servers: client.WithResolver(gantry.HTTPResolver{URL: …}). The
// answer is one line, such as "10.0.0.1:9876;10.0.0.2:9876". EndpointURL makes the customary URL.
type HTTPResolver struct {
	URL     string
	Timeout time.Duration // 0 means 3 s
}

// endpointAnswerMax bounds the answer of an endpoint, in bytes.
const endpointAnswerMax = 64 << 10

// Resolve fetches the list. Any status but 200 is an error.
func (r HTTPResolver) Resolve() ([]string, error) {
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = 3 * time.Second
	}
	// A connection kept for two minutes would outlive the client.
	once := http.Client{Timeout: timeout, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	response, err := once.Get(r.URL)
	if err != nil {
		return nil, fmt.Errorf("ask for name servers: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask for name servers: GET %s: %s", r.URL, response.Status)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, endpointAnswerMax))
	if err != nil {
		return nil, fmt.Errorf("ask for name servers: GET %s: %w", r.URL, err)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return []string{strings.TrimSpace(line)}, nil
}

// EndpointURL is the customary URL of an endpoint. Port 8080 is added to a domain without one; the subgroup is usually
// "nsaddr"; unit may be "".
func EndpointURL(domain, subgroup, unit string) string {
	if !strings.Contains(domain, ":") {
		domain += ":8080"
	}
	url := "http://" + domain + "/rocketmq/" + subgroup
	if unit != "" {
		url += "-" + unit + "?nofix=1"
	}
	return url
}
