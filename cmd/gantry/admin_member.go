package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

// memberList is the members of a consumer group that are connected to one broker.
type memberList struct {
	broker     client.Broker
	connection *client.ConsumerConnection
}

// members asks brokers for the members of a group. Brokers without any are left out.
func (s *session) members(ctx context.Context, brokers []client.Broker, group string) ([]memberList, failures) {
	answers, failed := askAll(brokers, func(b client.Broker) (*client.ConsumerConnection, error) {
		connection, found, err := s.admin.Consumers(ctx, b.Address, group)
		if err != nil || !found {
			return nil, err
		}
		return connection, nil
	})
	var lists []memberList
	for _, a := range answers {
		if a.value != nil {
			lists = append(lists, memberList{a.broker, a.value})
		}
	}
	return lists, failed
}

// offline is the failure of a group without members.
func offline(kind, group string) error {
	return &failure{cause: fmt.Errorf("no member of the %s group %s is online", kind, group), code: exitFailed,
		advice: "start one; groups and their members are listed by consumerProgress"}
}

func newConsumerConnection(f *adminFlags) *cobra.Command {
	var group, broker string
	cmd := &cobra.Command{
		Use:   "consumerConnection",
		Short: "Show who consumes in a group, and what",
		Long:  "Shows the clients that are connected in a consumer group, with their addresses and versions, and what they subscribe.",
		Example: `  gantry admin consumerConnection -n localhost:9876 -g billing
  gantry admin consumerConnection -n localhost:9876 -g billing -b 192.168.1.2:10911`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "consumerGroup"); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error {
				brokers, err := (&target{broker: broker}).members(ctx, s, true)
				if err != nil {
					return err
				}
				lists, failed := s.members(ctx, brokers, group)
				if len(lists) == 0 && len(failed) == 0 {
					return offline("consumer", group)
				}
				return f.report(newConsumersView(group, lists, failed), len(brokers)-len(failed), failed)
			})
		},
	}
	cmd.Flags().StringVarP(&group, "consumerGroup", "g", "", "`name` of the group; required")
	cmd.Flags().StringVarP(&broker, "brokerAddr", "b", "", "ask only the broker with this `address`, host:port")
	return cmd
}

func newProducerConnection(f *adminFlags) *cobra.Command {
	var group, topic string
	cmd := &cobra.Command{
		Use:     "producerConnection",
		Short:   "Show who sends in a producer group",
		Long:    "Shows the clients that are connected in a producer group to the brokers of a topic, with their addresses and versions.",
		Example: "  gantry admin producerConnection -n localhost:9876 -g checkout -t orders",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "producerGroup"), required(cmd, "topic")); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.producers(ctx, s, group, topic) })
		},
	}
	cmd.Flags().StringVarP(&group, "producerGroup", "g", "", "`name` of the group; required")
	cmd.Flags().StringVarP(&topic, "topic", "t", "", "`name` of a topic it sends to; required")
	return cmd
}

func (f *adminFlags) producers(ctx context.Context, s *session, group, topic string) error {
	brokers, err := s.admin.BrokersOf(ctx, topic)
	if err != nil {
		return err
	}
	answers, failed := askAll(brokers, func(b client.Broker) ([]proto.Connection, error) {
		connection, found, err := s.admin.Producers(ctx, b.Address, group)
		if err != nil || !found {
			return nil, err
		}
		return connection.Members, nil
	})
	v := &producersView{Groups: []producerGroup{{Group: group}}, Failed: failed}
	for _, a := range answers {
		v.Groups[0].Members = addMembers(v.Groups[0].Members, a.broker, a.value)
	}
	if len(v.Groups[0].Members) == 0 && len(failed) == 0 {
		return &failure{cause: fmt.Errorf("no member of the producer group %s is online", group), code: exitFailed,
			advice: "see the groups that are with producer -b ADDRESS; producers connect when they send for the first time"}
	}
	return f.report(v, len(answers), failed)
}

func newProducer(f *adminFlags) *cobra.Command {
	var broker string
	cmd := &cobra.Command{
		Use:     "producer",
		Short:   "Show all producers that are connected to a broker",
		Long:    "Shows all producer groups of a broker and the clients that are connected in them.",
		Example: "  gantry admin producer -n localhost:9876 -b 192.168.1.2:10911",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "broker"); err != nil {
				return err
			}
			return f.withBroker(cmd, broker, func(ctx context.Context, s *session) error {
				all, err := s.admin.AllProducers(ctx, broker)
				if err != nil {
					return err
				}
				v := &producersView{Groups: []producerGroup{}, withGroups: true}
				for _, group := range all.Groups {
					var members []proto.Connection
					for _, m := range group.Members {
						members = append(members, m.Connection)
					}
					v.Groups = append(v.Groups, producerGroup{group.Group, addMembers(nil, client.Broker{Address: broker}, members)})
				}
				return f.show(v)
			})
		},
	}
	cmd.Flags().StringVarP(&broker, "broker", "b", "", "ask the broker with this `address`, host:port; required")
	return cmd
}

// memberInfo is what a member of a consumer group says of itself, and where it was asked.
type memberInfo struct {
	proto.Connection
	broker client.Broker
	info   *client.RunningInfo
}

// address is the host of the client.
func (m *memberInfo) address() string {
	if i := strings.LastIndexByte(m.Connection.Address, ':'); i > 0 {
		return m.Connection.Address[:i]
	}
	return m.Connection.Address
}

// runningInfos asks each client once, through the first broker that knows it.
func (s *session) runningInfos(ctx context.Context, lists []memberList, group string, stack bool) ([]memberInfo, failures) {
	var members []memberInfo
	var asked []client.Broker
	for _, list := range lists {
		for _, c := range list.connection.Members {
			if !slices.ContainsFunc(members, func(m memberInfo) bool { return m.ClientID == c.ClientID }) {
				members = append(members, memberInfo{Connection: c, broker: list.broker})
				asked = append(asked, client.Broker{Name: c.ClientID, Address: c.Address})
			}
		}
	}
	answers, failed := askAll(asked, func(one client.Broker) (memberInfo, error) {
		i := slices.IndexFunc(members, func(m memberInfo) bool { return m.ClientID == one.Name })
		m := members[i]
		var err error
		m.info, err = s.admin.RunningInfo(ctx, m.broker.Address, group, m.ClientID, stack)
		return m, err
	})
	var infos []memberInfo
	for _, a := range answers {
		infos = append(infos, a.value)
	}
	slices.SortFunc(infos, func(a, b memberInfo) int { return strings.Compare(a.ClientID, b.ClientID) })
	return infos, failed
}
