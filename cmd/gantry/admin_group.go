package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// groupChange is what updateSubGroup is told. Only options that were typed count.
type groupChange struct {
	at         target
	wanted     client.GroupConfig
	policy     string
	attributes string
	typed      *pflag.FlagSet
}

func newUpdateSubGroup(f *adminFlags) *cobra.Command {
	change := groupChange{wanted: proto.NewSubscriptionGroupConfig("")}
	cmd := &cobra.Command{
		Use:   "updateSubGroup",
		Short: "Make a consumer group, or change it",
		Long: `Makes a consumer group, or changes it, at a broker or at all masters of a cluster. Settings whose options are left out stay as they are; in a
new group they are as brokers make groups by themselves. (Apache's mqadmin would set them back, and turn -m and -d off.)`,
		Example: `  gantry admin updateSubGroup -n localhost:9876 -c DefaultCluster -g billing
  gantry admin updateSubGroup -n localhost:9876 -c DefaultCluster -g billing -r 3
  gantry admin updateSubGroup -n localhost:9876 -b 192.168.1.2:10911 -g billing -s false
  gantry admin updateSubGroup -n localhost:9876 -c DefaultCluster -g billing -p '{"type":"CUSTOMIZED","customizedRetryPolicy":{"next":[1000,5000]}}'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "groupName"), oneOf(cmd, "brokerAddr", "clusterName"), change.check()); err != nil {
				return err
			}
			change.typed = cmd.Flags()
			return f.withBroker(cmd, change.at.broker, func(ctx context.Context, s *session) error { return f.updateSubGroup(ctx, s, &change) })
		},
	}
	change.at.add(cmd, "clusterName", "make it at")
	change.add(cmd.Flags())
	needsValue(cmd, "consumeEnable", "consumeFromMinEnable", "consumeBroadcastEnable", "consumeMessageOrderly", "notifyConsumerIdsChanged")
	return cmd
}

func (c *groupChange) add(flags *pflag.FlagSet) {
	w := &c.wanted
	flags.StringVarP(&w.Name, "groupName", "g", "", "`name` of the group; required")
	flags.BoolVarP(&w.Consume, "consumeEnable", "s", w.Consume, "its members may consume; `true|false`")
	flags.BoolVarP(&w.ConsumeFromMin, "consumeFromMinEnable", "m", w.ConsumeFromMin, "they may begin at the oldest message; `true|false`")
	flags.BoolVarP(&w.ConsumeBroadcast, "consumeBroadcastEnable", "d", w.ConsumeBroadcast, "they may each consume all messages; `true|false`")
	flags.BoolVarP(&w.ConsumeOrdered, "consumeMessageOrderly", "o", false, "they consume in order; `true|false`")
	flags.Int32VarP(&w.RetryQueues, "retryQueueNums", "q", w.RetryQueues, "`number` of queues of its retry topic")
	flags.Int32VarP(&w.RedeliveriesMax, "retryMaxTimes", "r", w.RedeliveriesMax, "deliver a message again this `number` of times, then to the dead letters")
	flags.StringVarP(&c.policy, "groupRetryPolicy", "p", "", "when to deliver again, `JSON` of type EXPONENTIAL or CUSTOMIZED")
	flags.Int64VarP(&w.BrokerID, "brokerId", "i", w.BrokerID, "pull from the broker with this `id`; 0 is the master")
	flags.Int64VarP(&w.SlowBrokerID, "whichBrokerWhenConsumeSlowly", "w", w.SlowBrokerID, "pull old messages from the broker with this `id`")
	flags.BoolVarP(&w.NotifyMembers, "notifyConsumerIdsChanged", "a", w.NotifyMembers, "tell members at once when others come or go; `true|false`")
	flags.StringVar(&c.attributes, "attributes", "", "`attributes` to set or remove, +key=value,-key")
}

func (c *groupChange) check() error {
	if c.wanted.RetryQueues < 0 || c.wanted.RetryQueues > maxQueues {
		return wrongUsage("-q: %d is not a number of queues between 0 and %d", c.wanted.RetryQueues, maxQueues)
	}
	if c.policy != "" {
		if err := json.Unmarshal([]byte(c.policy), &c.wanted.RetryPolicy); err != nil {
			return wrongUsage("-p: %q is not a retry policy: %w", c.policy, err)
		}
	}
	attributes, err := parseAttributeChanges("--attributes", c.attributes)
	c.wanted.Attributes = attributes
	return err
}

// applyTo takes over the settings that were typed.
func (c *groupChange) applyTo(group *client.GroupConfig) {
	w := &c.wanted
	for long, apply := range map[string]func(){
		"consumeEnable":                func() { group.Consume = w.Consume },
		"consumeFromMinEnable":         func() { group.ConsumeFromMin = w.ConsumeFromMin },
		"consumeBroadcastEnable":       func() { group.ConsumeBroadcast = w.ConsumeBroadcast },
		"consumeMessageOrderly":        func() { group.ConsumeOrdered = w.ConsumeOrdered },
		"retryQueueNums":               func() { group.RetryQueues = w.RetryQueues },
		"retryMaxTimes":                func() { group.RedeliveriesMax = w.RedeliveriesMax },
		"groupRetryPolicy":             func() { group.RetryPolicy = w.RetryPolicy },
		"brokerId":                     func() { group.BrokerID = w.BrokerID },
		"whichBrokerWhenConsumeSlowly": func() { group.SlowBrokerID = w.SlowBrokerID },
		"notifyConsumerIdsChanged":     func() { group.NotifyMembers = w.NotifyMembers },
	} {
		if c.typed.Changed(long) {
			apply()
		}
	}
	// Attributes are sent as changes.
	group.Attributes = w.Attributes
}

func (f *adminFlags) updateSubGroup(ctx context.Context, s *session, c *groupChange) error {
	masters, err := c.at.members(ctx, s, true)
	if err != nil {
		return err
	}
	answers, failed := askAll(masters, func(b client.Broker) (client.GroupConfig, error) { return s.changeGroup(ctx, b.Address, c) })
	var done []string
	last := ""
	for _, a := range answers {
		done = append(done, a.broker.Address)
		last = a.value.String()
	}
	v := newDoneView(done, failed, "create subscription group to %s success.")
	v.last = last
	return f.report(v, len(done), failed)
}

func (s *session) changeGroup(ctx context.Context, address string, c *groupChange) (client.GroupConfig, error) {
	group, found, err := s.admin.Group(ctx, address, c.wanted.Name)
	if err != nil {
		return group, err
	}
	if !found {
		group = proto.NewSubscriptionGroupConfig(c.wanted.Name)
	}
	c.applyTo(&group)
	return group, s.admin.UpdateGroup(ctx, address, group)
}

func newDeleteSubGroup(f *adminFlags) *cobra.Command {
	var at target
	var group string
	var offsets bool
	cmd := &cobra.Command{
		Use:   "deleteSubGroup",
		Short: "Delete a consumer group",
		Long: `Deletes a consumer group from a broker, or from all masters of a cluster; then its retry topic and dead letters go too. Members that are
online bring it back where brokers make groups by themselves, so stop them first.`,
		Example: `  gantry admin deleteSubGroup -n localhost:9876 -c DefaultCluster -g billing -r true
  gantry admin deleteSubGroup -n localhost:9876 -b 192.168.1.2:10911 -g billing`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(required(cmd, "groupName"), oneOf(cmd, "brokerAddr", "clusterName")); err != nil {
				return err
			}
			return f.withBroker(cmd, at.broker, func(ctx context.Context, s *session) error { return f.deleteSubGroup(ctx, s, &at, group, offsets) })
		},
	}
	at.add(cmd, "clusterName", "delete it from")
	cmd.Flags().StringVarP(&group, "groupName", "g", "", "`name` of the group; required")
	cmd.Flags().BoolVarP(&offsets, "removeOffset", "r", false, "forget how far it has consumed too; `true|false`")
	needsValue(cmd, "removeOffset")
	return cmd
}

func (f *adminFlags) deleteSubGroup(ctx context.Context, s *session, at *target, group string, offsets bool) error {
	masters, err := at.members(ctx, s, true)
	if err != nil {
		return err
	}
	if err := s.requireGroup(ctx, masters, group); err != nil {
		return err
	}
	done, failed := tellAll(masters, func(b client.Broker) error { return s.admin.DeleteGroup(ctx, b.Address, group, offsets) })
	line := fmt.Sprintf("delete subscription group [%s] from broker [%%s]", group)
	if at.cluster != "" {
		line += fmt.Sprintf(" in cluster [%s]", at.cluster)
	}
	v := newDoneView(done, failed, line+" success.")
	if len(failed) == 0 && at.cluster != "" {
		err = s.deleteTopicsOf(ctx, at.cluster, group)
	}
	return errors.Join(f.report(v, len(done), failed), err)
}

// requireGroup fails if all brokers answer that they do not know a group.
func (s *session) requireGroup(ctx context.Context, brokers []client.Broker, group string) error {
	answers, _ := askAll(brokers, func(b client.Broker) (bool, error) {
		_, found, err := s.admin.Group(ctx, b.Address, group)
		return found, err
	})
	for _, a := range answers {
		if a.value {
			return nil
		}
	}
	if len(answers) < len(brokers) {
		return nil
	}
	return &failure{cause: fmt.Errorf("no broker that was asked has a group %s", group), code: exitFailed, advice: "see the groups there are with consumerProgress, or make it with updateSubGroup"}
}

// deleteTopicsOf deletes the topics that only the group had.
func (s *session) deleteTopicsOf(ctx context.Context, cluster, group string) error {
	var failed []error
	for _, topic := range []string{proto.RetryTopic(group), proto.DeadLetterTopic(group)} {
		if err := s.admin.DeleteTopic(ctx, cluster, topic); err != nil {
			failed = append(failed, fmt.Errorf("topic %s: %w", topic, err))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &failure{cause: errors.Join(failed...), code: exitPartly, advice: "the group is deleted; delete these topics with deleteTopic"}
}

func newGetConsumerConfig(f *adminFlags) *cobra.Command {
	var group string
	cmd := &cobra.Command{
		Use:     "getConsumerConfig",
		Short:   "Show the settings of a consumer group",
		Long:    "Shows the settings of a consumer group at all masters that have it.",
		Example: "  gantry admin getConsumerConfig -n localhost:9876 -g billing",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "groupName"); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.groupConfig(ctx, s, group) })
		},
	}
	cmd.Flags().StringVarP(&group, "groupName", "g", "", "`name` of the group; required")
	return cmd
}

func (f *adminFlags) groupConfig(ctx context.Context, s *session, group string) error {
	masters, err := (&target{}).members(ctx, s, true)
	if err != nil {
		return err
	}
	answers, failed := askAll(masters, func(b client.Broker) (map[string]string, error) {
		config, found, err := s.admin.Group(ctx, b.Address, group)
		if err != nil || !found {
			return nil, err
		}
		return groupValues(&config)
	})
	var known []brokerAnswer[map[string]string]
	for _, a := range answers {
		if a.value != nil {
			known = append(known, a)
		}
	}
	if len(known) == 0 && len(failed) == 0 {
		return &failure{cause: fmt.Errorf("no broker has a group %s", group), code: exitFailed, advice: "see the groups there are with consumerProgress, or make it with updateSubGroup"}
	}
	return f.report(newServersView(known, failed), len(known), failed)
}

// groupValues are the settings by the names that the protocol has for them.
func groupValues(group *client.GroupConfig) (map[string]string, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(group.Marshal(), &raw); err != nil {
		return nil, err
	}
	values := map[string]string{}
	for key, value := range raw {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		values[key] = text
	}
	return values, nil
}
