package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

// listChange is one of two commands that make or change everything that a file lists.
type listChange[T any] struct {
	kind   listKind[T]
	update func(a *client.Admin, ctx context.Context, address string, list []T) error
	// at and inCluster are what is printed for a broker, in the words of RocketMQ's tool.
	at, inCluster string
}

func newUpdateTopicList(f *adminFlags) *cobra.Command {
	return newListChange(f, &cobra.Command{
		Use:   "updateTopicList",
		Short: "Make several topics, or change them",
		Long: `Makes the topics that a file lists, or changes them, at a broker or at all masters of a cluster. The file is a JSON array of the settings of
topics, by the names that the protocol has for them:

  [{"topicName":"orders","readQueueNums":8,"writeQueueNums":8,"perm":6,"attributes":{"+message.type":"FIFO"}},
   {"topicName":"bills"}]

What is left out is as in a new topic, with 16 queues; only attributes stay that are not named. "+key" sets an attribute and "-key" removes
it. If a broker refuses one of them, correct the file and repeat the command: what is made already stays as it is. Name servers are not told
of ordered topics: see updateOrderConf.`,
		Example: `  gantry admin updateTopicList -n localhost:9876 -c DefaultCluster -f topics.json
  gantry admin updateTopicList -n localhost:9876 -b 192.168.1.2:10911 -f topics.json`,
	}, listChange[client.TopicConfig]{
		kind: topicLists(), update: (*client.Admin).UpdateTopics,
		at:        "submit batch of topic config to %s success, please check the result later.",
		inCluster: "submit batch of topic config to %s success, please check the result later.",
	})
}

func newUpdateSubGroupList(f *adminFlags) *cobra.Command {
	return newListChange(f, &cobra.Command{
		Use:   "updateSubGroupList",
		Short: "Make several consumer groups, or change them",
		Long: `Makes the consumer groups that a file lists, or changes them, at a broker or at all masters of a cluster. The file is a JSON array of the
settings of groups, by the names that the protocol has for them, which getConsumerConfig shows:

  [{"groupName":"billing","retryMaxTimes":3,"consumeBroadcastEnable":false},
   {"groupName":"audit"}]

What is left out is as brokers make groups by themselves; only attributes stay that are not named. "+key" sets an attribute and "-key" removes
it. If a broker refuses one of them, correct the file and repeat the command: what is made already stays as it is.`,
		Example: `  gantry admin updateSubGroupList -n localhost:9876 -c DefaultCluster -f groups.json
  gantry admin updateSubGroupList -n localhost:9876 -b 192.168.1.2:10911 -f groups.json`,
	}, listChange[client.GroupConfig]{
		kind: groupLists(), update: (*client.Admin).UpdateGroups,
		at:        "submit batch of group config to %s success, please check the result later.",
		inCluster: "submit batch of subscription group config to %s success, please check the result later.",
	})
}

func newListChange[T any](f *adminFlags, cmd *cobra.Command, c listChange[T]) *cobra.Command {
	var at target
	var path string
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := errors.Join(required(cmd, "filename"), oneOf(cmd, "brokerAddr", "clusterName")); err != nil {
			return err
		}
		list, err := c.kind.readFile(path)
		if err != nil {
			return wrongUsage("-f: %w", err)
		}
		return f.withBroker(cmd, at.broker, func(ctx context.Context, s *session) error { return changeList(ctx, f, s, &at, c, list) })
	}
	at.add(cmd, "clusterName", "make them at")
	cmd.Flags().StringVarP(&path, "filename", "f", "", "`file` with the list; required")
	return cmd
}

func changeList[T any](ctx context.Context, f *adminFlags, s *session, at *target, c listChange[T], list []T) error {
	masters, err := at.members(ctx, s, true)
	if err != nil {
		return err
	}
	done, failed := tellAll(masters, func(b client.Broker) error { return c.update(s.admin, ctx, b.Address, list) })
	v := newDoneView(done, failed, c.at)
	if at.cluster != "" {
		v.line = c.inCluster
	}
	var names []string
	for i := range list {
		names = append(names, c.kind.nameOf(&list[i]))
	}
	v.last = fmt.Sprintf("%d %ss: %s", len(list), c.kind.what, strings.Join(names, ", "))
	return f.report(v, len(done), failed)
}

// topicLists are files of updateTopicList.
func topicLists() listKind[client.TopicConfig] {
	standard := proto.NewTopicConfig("")
	return listKind[client.TopicConfig]{
		what: "topic", nameKey: "topicName", keys: keysOf(standard.Marshal()), read: proto.UnmarshalTopicConfig,
		nameOf: func(t *client.TopicConfig) string { return t.Name },
		check: func(t *client.TopicConfig) error {
			switch {
			case t.ReadQueues < 1 || t.ReadQueues > maxQueues:
				return fmt.Errorf("readQueueNums: %d is not a number of queues between 1 and %d", t.ReadQueues, maxQueues)
			case t.WriteQueues < 1 || t.WriteQueues > maxQueues:
				return fmt.Errorf("writeQueueNums: %d is not a number of queues between 1 and %d", t.WriteQueues, maxQueues)
			case !t.Perm.Valid():
				return fmt.Errorf("perm: %d is none of 2 (write), 4 (read), 6 (both)", t.Perm)
			}
			return proto.ValidateTopic(t.Name)
		},
	}
}

// groupLists are files of updateSubGroupList.
func groupLists() listKind[client.GroupConfig] {
	standard := proto.NewSubscriptionGroupConfig("")
	return listKind[client.GroupConfig]{
		// What members subscribe is written only where it is fixed.
		what: "group", nameKey: "groupName", keys: append(keysOf(standard.Marshal()), "subscriptionDataSet"), read: proto.UnmarshalSubscriptionGroupConfig,
		nameOf: func(g *client.GroupConfig) string { return g.Name },
		check: func(g *client.GroupConfig) error {
			if g.RetryQueues < 0 || g.RetryQueues > maxQueues {
				return fmt.Errorf("retryQueueNums: %d is not a number of queues between 0 and %d", g.RetryQueues, maxQueues)
			}
			return proto.ValidateGroup(g.Name)
		},
	}
}
