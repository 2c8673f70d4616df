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

func newDeleteTopic(f *adminFlags) *cobra.Command {
	var topic, cluster string
	cmd := &cobra.Command{
		Use:   "deleteTopic",
		Short: "Delete a topic with its messages",
		Long: `Deletes a topic, its messages and the offsets of its groups from all masters of a cluster, and then its route from the name servers.
There is no way back. If a broker fails, the name servers keep the route, so that the command can be repeated.`,
		Example: "  gantry admin deleteTopic -n localhost:9876 -c DefaultCluster -t orders",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "topic"), required(cmd, "clusterName")); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.deleteTopic(ctx, s, cluster, topic) })
		},
	}
	cmd.Flags().StringVarP(&topic, "topic", "t", "", "`name` of the topic; required")
	cmd.Flags().StringVarP(&cluster, "clusterName", "c", "", "delete it from this `cluster`; required")
	return cmd
}

// deleteTopic asks for the route first, so that a slip of the pen is told from a deletion.
func (f *adminFlags) deleteTopic(ctx context.Context, s *session, cluster, topic string) error {
	masters, err := (&target{cluster: cluster}).members(ctx, s, true)
	if err != nil {
		return err
	}
	route, err := s.admin.Route(ctx, topic)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(route.Brokers, func(b proto.BrokerRoute) bool { return b.Cluster == cluster }) {
		return &failure{cause: fmt.Errorf("no broker of cluster %s has topic %s", cluster, topic), code: exitFailed, advice: "see its clusters with topicClusterList"}
	}
	done, failed := tellAll(masters, func(b client.Broker) error { return s.admin.DeleteTopicAt(ctx, b.Address, topic) })
	v := newDoneView(done, failed, "delete topic ["+topic+"] from broker [%s] success.")
	if len(failed) == 0 {
		v.line = ""
		v.last = fmt.Sprintf("delete topic [%s] from cluster [%s] success.", topic, cluster)
		if err = s.admin.ForgetTopic(ctx, cluster, topic); err == nil {
			v.last += fmt.Sprintf("\ndelete topic [%s] from NameServer success.", topic)
		} else {
			err = &failure{cause: err, code: exitPartly, advice: "brokers have deleted it; repeat the command once all name servers can be reached"}
		}
	}
	return errors.Join(err, f.report(v, len(done), failed))
}

func newUpdateTopicPerm(f *adminFlags) *cobra.Command {
	var at target
	var topic string
	var perm int
	cmd := &cobra.Command{
		Use:   "updateTopicPerm",
		Short: "Change what clients may do with a topic",
		Long:  "Changes what clients may do with a topic at a broker, or at all masters of a cluster that have it. Everything else stays.",
		Example: `  gantry admin updateTopicPerm -n localhost:9876 -c DefaultCluster -t orders -p 4
  gantry admin updateTopicPerm -n localhost:9876 -b 192.168.1.2:10911 -t orders -p 6`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "topic"), given(cmd, "perm"), oneOf(cmd, "brokerAddr", "clusterName")); err != nil {
				return err
			}
			if perm != 2 && perm != 4 && perm != 6 {
				return wrongUsage("-p: %d is none of 2 (write), 4 (read), 6 (both)", perm)
			}
			return f.withBroker(cmd, at.broker, func(ctx context.Context, s *session) error {
				return f.updateTopicPerm(ctx, s, &at, topic, proto.Perm(perm))
			})
		},
	}
	at.add(cmd, "clusterName", "change")
	cmd.Flags().StringVarP(&topic, "topic", "t", "", "`name` of the topic; required")
	cmd.Flags().IntVarP(&perm, "perm", "p", 0, "what clients may do, a `number`: 2 write, 4 read, 6 both; required")
	return cmd
}

// updateTopicPerm leaves brokers of a cluster alone that do not have the topic.
func (f *adminFlags) updateTopicPerm(ctx context.Context, s *session, at *target, topic string, perm proto.Perm) error {
	masters, err := at.members(ctx, s, true)
	if err != nil {
		return err
	}
	answers, failed := askAll(masters, func(b client.Broker) (*permChange, error) { return s.changePerm(ctx, b.Address, topic, perm) })
	v := &permChangesView{Topic: topic, Brokers: []permChange{}, Failed: failed}
	for _, a := range answers {
		if a.value != nil {
			v.Brokers = append(v.Brokers, *a.value)
		}
	}
	if len(v.Brokers) == 0 && len(failed) == 0 {
		return fmt.Errorf("%w: %s, at the brokers that were named", client.ErrTopicNotFound, topic)
	}
	return f.report(v, len(v.Brokers), failed)
}

// changePerm is nil if the broker does not have the topic.
func (s *session) changePerm(ctx context.Context, address, topic string, perm proto.Perm) (*permChange, error) {
	config, found, err := s.admin.Topic(ctx, address, topic)
	if err != nil || !found {
		return nil, err
	}
	change := &permChange{Address: address, From: config.Perm.String(), To: perm.String(), from: config.Perm, to: perm}
	if config.Perm == perm {
		return change, nil
	}
	config.Perm = perm
	// Attributes are sent as changes, and there are none.
	config.Attributes = nil
	return change, s.admin.UpdateTopic(ctx, address, config)
}

func newTopicClusterList(f *adminFlags) *cobra.Command {
	var topic string
	cmd := &cobra.Command{
		Use:     "topicClusterList",
		Short:   "List the clusters that have a topic",
		Long:    "Lists the clusters that have a topic, one on each line.",
		Example: "  gantry admin topicClusterList -n localhost:9876 -t orders",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "topic"); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error {
				route, err := s.admin.Route(ctx, topic)
				if err != nil {
					return err
				}
				v := &topicClustersView{Topic: topic, Clusters: []string{}}
				for _, b := range route.Brokers {
					v.Clusters = append(v.Clusters, b.Cluster)
				}
				slices.Sort(v.Clusters)
				v.Clusters = slices.Compact(v.Clusters)
				return f.show(v)
			})
		},
	}
	cmd.Flags().StringVarP(&topic, "topic", "t", "", "`name` of the topic; required")
	return cmd
}

// orderChange is what updateOrderConf is told.
type orderChange struct{ topic, value, method string }

func newUpdateOrderConf(f *adminFlags) *cobra.Command {
	var change orderChange
	cmd := &cobra.Command{
		Use:   "updateOrderConf",
		Short: "Show or change how many queues of an ordered topic each broker has",
		Long: `Shows, sets or removes the order configuration of a topic at the name servers: how many queues each broker has. Producers then go on
to use the same queues while a broker is away. Name servers put it into routes if their orderMessageEnable is on.`,
		Example: `  gantry admin updateOrderConf -n localhost:9876 -t orders -m get
  gantry admin updateOrderConf -n localhost:9876 -t orders -m put -v 'broker-a:8;broker-b:8'
  gantry admin updateOrderConf -n localhost:9876 -t orders -m delete`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "topic"), required(cmd, "method"), change.check()); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.orderConf(ctx, s, &change) })
		},
	}
	cmd.Flags().StringVarP(&change.topic, "topic", "t", "", "`name` of the topic; required")
	cmd.Flags().StringVarP(&change.value, "orderConf", "v", "", "`queues` of each broker, name:number;name:number; with put")
	cmd.Flags().StringVarP(&change.method, "method", "m", "", "what to do; `get|put|delete`; required")
	return cmd
}

func (c *orderChange) check() error {
	switch c.method {
	case "get", "delete", "":
		return nil
	case "put":
	default:
		return wrongUsage("-m %s: it is none of get, put, delete", c.method)
	}
	for part := range strings.SplitSeq(c.value, ";") {
		if name, count, ok := strings.Cut(part, ":"); !ok || name == "" || !isQueueCount(count) {
			return wrongUsage("-v %q: write brokers and their numbers of queues, such as broker-a:8;broker-b:8", c.value)
		}
	}
	return nil
}

func (f *adminFlags) orderConf(ctx context.Context, s *session, c *orderChange) error {
	v := &orderView{Topic: c.topic, OrderConf: c.value, method: c.method}
	var err error
	switch c.method {
	case "get":
		v.OrderConf, v.Found, err = s.admin.GetConfig(ctx, proto.OrderTopicNamespace, c.topic)
		if err == nil && !v.Found {
			err = &failure{cause: fmt.Errorf("topic %s has no order configuration", c.topic), code: exitFailed, advice: "set one with -m put, or with updateTopic -o true"}
		}
	case "put":
		v.Found, err = true, s.admin.PutConfig(ctx, proto.OrderTopicNamespace, c.topic, c.value)
	case "delete":
		err = s.admin.DeleteConfig(ctx, proto.OrderTopicNamespace, c.topic)
	}
	if err != nil {
		return err
	}
	return f.show(v)
}
