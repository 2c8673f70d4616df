package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/spf13/cobra"
)

// permissionChange is one of two commands that are each other's opposite.
type permissionChange struct {
	verb   string // in the words that scripts wait for
	change func(a *client.Admin, ctx context.Context, nameServer, broker string) (topics int, err error)
}

func newWipeWritePerm(f *adminFlags) *cobra.Command {
	return newPermission(f, &cobra.Command{
		Use:   "wipeWritePerm",
		Short: "Take the write permission from a broker, so that producers leave it",
		Long: `Takes the write permission from all topics of a broker name, at every name server of -n. Producers leave it within half a minute; then it
can be stopped when consumers have read what it has. addWritePerm gives the permission back.`,
		Example: "  gantry admin wipeWritePerm -n localhost:9876 -b broker-a",
	}, permissionChange{"wipe", (*client.Admin).WipeWritePermissionAt})
}

func newAddWritePerm(f *adminFlags) *cobra.Command {
	return newPermission(f, &cobra.Command{
		Use:     "addWritePerm",
		Short:   "Give a broker the write permission back",
		Long:    "Gives all topics of a broker name the write permission that wipeWritePerm took, at every name server of -n.",
		Example: "  gantry admin addWritePerm -n localhost:9876 -b broker-a",
	}, permissionChange{"add", (*client.Admin).AddWritePermissionAt})
}

func newPermission(f *adminFlags, cmd *cobra.Command, p permissionChange) *cobra.Command {
	var broker string
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := required(cmd, "brokerName"); err != nil {
			return err
		}
		return f.with(cmd, func(ctx context.Context, s *session) error { return f.changePermission(ctx, s, p, broker) })
	}
	cmd.Flags().StringVarP(&broker, "brokerName", "b", "", "`name` of the broker; required")
	return cmd
}

// changePermission asks all name servers. That none of them knows a topic of the broker is a failure: the name is wrong, or nothing
// is registered.
func (f *adminFlags) changePermission(ctx context.Context, s *session, p permissionChange, broker string) error {
	servers, err := s.nameServers(ctx)
	if err != nil {
		return err
	}
	answers, failed := askAll(servers, func(server client.Broker) (int, error) {
		return p.change(s.admin, ctx, server.Address, broker)
	})
	v := &permissionView{Broker: broker, NameServers: []permissionEntry{}, Failed: failed, verb: p.verb}
	topics := 0
	for _, a := range answers {
		v.NameServers = append(v.NameServers, permissionEntry{a.broker.Address, a.value})
		topics += a.value
	}
	if err := f.report(v, len(answers), failed); err != nil || topics > 0 {
		return err
	}
	return &failure{cause: fmt.Errorf("no name server knows a topic of broker %s", broker), code: exitFailed, advice: "see the names of brokers with clusterList"}
}

// nameServers lists the name servers as something to ask.
func (s *session) nameServers(ctx context.Context) ([]client.Broker, error) {
	addresses, err := s.admin.NameServers(ctx)
	var servers []client.Broker
	for _, address := range addresses {
		servers = append(servers, client.Broker{Address: address})
	}
	return servers, err
}

// permissionView is the answer of wipeWritePerm and addWritePerm.
type permissionView struct {
	Broker      string            `json:"broker"`
	NameServers []permissionEntry `json:"nameServers"`
	Failed      failures          `json:"failed,omitempty"`
	verb        string
}

type permissionEntry struct {
	Address string `json:"address"`
	Topics  int    `json:"topics"` // that were changed
}

// write has the words of RocketMQ's tool, which scripts wait for.
func (v *permissionView) write(out io.Writer, _ int) error {
	var text strings.Builder
	for _, n := range v.NameServers {
		fmt.Fprintf(&text, "%s write perm of broker[%s] in name server[%s] OK, %d\n", v.verb, v.Broker, n.Address, n.Topics)
	}
	_, err := io.WriteString(out, text.String())
	return err
}
