package main

import (
	"context"
	"errors"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/spf13/cobra"
)

// authTarget is the servers that a command about users or rights is for. Each server has accounts of its own.
type authTarget struct {
	target
	names bool // the name servers, too
}

// add adds the options -b, -c and --nameServers.
func (t *authTarget) add(cmd *cobra.Command, does string) {
	t.target.add(cmd, "clusterName", does)
	cmd.Flags().BoolVar(&t.names, "nameServers", false, does+" the name servers of -n as well; an option of Gantry's own")
}

// servers are the brokers of the target, or their masters only, and the name servers if they are asked for.
func (t *authTarget) servers(ctx context.Context, s *session, mastersOnly bool) ([]client.Broker, error) {
	var servers []client.Broker
	if t.names {
		names, err := s.nameServers(ctx)
		if err != nil {
			return nil, err
		}
		servers = names
	}
	if t.broker == "" && t.cluster == "" {
		return servers, nil
	}
	brokers, err := t.members(ctx, s, mastersOnly)
	return append(servers, brokers...), err
}

// check wants one of -b and -c, or the name servers alone.
func (t *authTarget) check(cmd *cobra.Command) error {
	if t.names && t.broker == "" && t.cluster == "" {
		return nil
	}
	return oneOf(cmd, "brokerAddr", "clusterName")
}

// authChange is a command that changes something at each of its servers.
type authChange struct {
	check func(cmd *cobra.Command) error // what was typed
	tell  func(ctx context.Context, a *client.Admin, address string) error
	line  string        // printed for each server, in the words of RocketMQ's tool
	last  func() string // printed behind
}

func newAuthChange(f *adminFlags, cmd *cobra.Command, does string, c authChange) *cobra.Command {
	var at authTarget
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := errors.Join(at.check(cmd), c.check(cmd)); err != nil {
			return err
		}
		return f.with(cmd, func(ctx context.Context, s *session) error {
			// Slaves are told, too: they do not copy accounts from their masters.
			servers, err := at.servers(ctx, s, false)
			if err != nil {
				return err
			}
			done, failed := tellAll(servers, func(b client.Broker) error { return c.tell(ctx, s.admin, b.Address) })
			v := newDoneView(done, failed, c.line)
			if c.last != nil {
				v.last = c.last()
			}
			return f.report(v, len(done), failed)
		})
	}
	at.add(cmd, does)
	return cmd
}

// authLook is a command that shows what each of its servers says.
type authLook[T any] struct {
	check func(cmd *cobra.Command) error
	ask   func(ctx context.Context, a *client.Admin, address string) (T, error)
	view  func(answers []brokerAnswer[T], failed failures) view
}

func newAuthLook[T any](f *adminFlags, cmd *cobra.Command, c authLook[T]) *cobra.Command {
	var at authTarget
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := errors.Join(at.check(cmd), c.check(cmd)); err != nil {
			return err
		}
		return f.with(cmd, func(ctx context.Context, s *session) error {
			servers, err := at.servers(ctx, s, true)
			if err != nil {
				return err
			}
			answers, failed := askAll(servers, func(b client.Broker) (T, error) { return c.ask(ctx, s.admin, b.Address) })
			return f.report(c.view(answers, failed), len(answers), failed)
		})
	}
	at.add(cmd, "ask")
	return cmd
}

// wants is a check that some options are there.
func wants(longs ...string) func(cmd *cobra.Command) error {
	return func(cmd *cobra.Command) error {
		var missing []error
		for _, long := range longs {
			missing = append(missing, required(cmd, long))
		}
		return errors.Join(missing...)
	}
}

// commaList takes a list apart, as options of RocketMQ's tool have them.
func commaList(text string) []string {
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// copyPair is the two brokers of copyUser and copyAcl.
type copyPair struct{ from, to, names string }

func (p *copyPair) add(cmd *cobra.Command, short, long, what string) {
	cmd.Flags().StringVarP(&p.from, "fromBroker", "f", "", "copy from the server with this `address`; required")
	cmd.Flags().StringVarP(&p.to, "toBroker", "t", "", "copy to the server with this `address`; required")
	cmd.Flags().StringVarP(&p.names, long, short, "", what)
}

// copied shows what was copied.
func (f *adminFlags) copied(kind string, p copyPair, names []string) error {
	v := &copiedView{From: p.from, To: p.to, Copied: names, kind: kind}
	if v.Copied == nil {
		v.Copied = []string{}
	}
	return f.show(v)
}
