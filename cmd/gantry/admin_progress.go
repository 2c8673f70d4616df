package main

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

// progressQuery is what consumerProgress is told.
type progressQuery struct {
	group, topic, cluster string
	showClients           bool
}

func newConsumerProgress(f *adminFlags) *cobra.Command {
	var q progressQuery
	cmd := &cobra.Command{
		Use:   "consumerProgress",
		Short: "Show how far consumer groups are",
		Long: `Shows how far a consumer group is in each queue, or without -g how far each group is in all. Diff is how many messages it has still to consume,
and inflight how many of them its members have fetched already.`,
		Example: `  gantry admin consumerProgress -n localhost:9876
  gantry admin consumerProgress -n localhost:9876 -g billing
  gantry admin consumerProgress -n localhost:9876 -g billing -t orders -s true`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.group == "" && (q.topic != "" || q.showClients) {
				return wrongUsage("-t and -s are about the queues of one group, so name it with -g")
			}
			return f.with(cmd, func(ctx context.Context, s *session) error {
				if q.group == "" {
					return f.allProgress(ctx, s, q.cluster)
				}
				return f.progress(ctx, s, &q)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&q.group, "groupName", "g", "", "`name` of the group; without it all groups are listed")
	flags.StringVarP(&q.topic, "topicName", "t", "", "show only this `topic`")
	flags.BoolVarP(&q.showClients, "showClientIP", "s", false, "show which client has each queue; `true|false`")
	flags.StringVarP(&q.cluster, "cluster", "c", "", "ask only brokers of this `cluster`")
	needsValue(cmd, "showClientIP")
	return cmd
}

// progress of one group, at all masters: where it is nobody knows.
func (f *adminFlags) progress(ctx context.Context, s *session, q *progressQuery) error {
	masters, err := (&target{cluster: q.cluster}).members(ctx, s, true)
	if err != nil {
		return err
	}
	if err := s.requireGroup(ctx, masters, q.group); err != nil {
		return err
	}
	answers, failed := askAll(masters, func(b client.Broker) (*client.ConsumeStats, error) {
		return s.admin.ConsumeStats(ctx, b.Address, q.group, q.topic)
	})
	v := &progressView{Group: q.group, Queues: []queueProgress{}, Failed: failed, showClients: q.showClients}
	for _, a := range answers {
		v.add(a.value)
	}
	if len(v.Queues) == 0 && len(failed) == 0 {
		return s.explainNoProgress(ctx, masters, q)
	}
	if q.showClients {
		owners, silent := s.owners(ctx, masters, q.group)
		v.setClients(owners)
		failed = append(failed, silent...)
		v.Failed = failed
	}
	return f.report(v, len(answers), failed)
}

// explainNoProgress tells apart why a group has no offsets.
func (s *session) explainNoProgress(ctx context.Context, masters []client.Broker, q *progressQuery) error {
	members, _ := s.members(ctx, masters, q.group)
	cause, advice := fmt.Errorf("group %s has consumed nothing", q.group), "see the groups there are with consumerProgress, without -g"
	if q.topic != "" {
		cause, advice = fmt.Errorf("group %s has consumed nothing of topic %s", q.group, q.topic), "see all of its topics by leaving out -t"
	}
	for _, m := range members {
		advice = "its members are online but have committed no offset yet; wait some seconds, and see them with consumerStatus"
		if m.connection.Model == proto.Broadcasting {
			advice = "it broadcasts: its members keep their offsets themselves, see them with consumerStatus"
		}
	}
	return &failure{cause: cause, code: exitFailed, advice: advice}
}

// owners tells which client has a queue, by what the members of a group say of themselves.
func (s *session) owners(ctx context.Context, masters []client.Broker, group string) (map[client.Queue]string, failures) {
	members, failed := s.members(ctx, masters, group)
	owners := map[client.Queue]string{}
	infos, silent := s.runningInfos(ctx, members, group, false)
	for _, info := range infos {
		for _, queue := range info.info.Queues {
			if !queue.Dropped {
				owners[queue.Queue] = info.address() + "@" + info.ClientID
			}
		}
	}
	return owners, append(failed, silent...)
}

// allProgress lists the groups that any master knows, one line for each.
func (f *adminFlags) allProgress(ctx context.Context, s *session, cluster string) error {
	masters, err := (&target{cluster: cluster}).members(ctx, s, true)
	if err != nil {
		return err
	}
	groups, failed := s.groupNames(ctx, masters)
	v := &groupsView{Groups: []groupEntry{}}
	var mutex sync.Mutex
	for _, group := range groups {
		entry := groupEntry{Group: group}
		_, silent := tellAll(masters, func(b client.Broker) error { return s.addProgress(ctx, b, &entry, &mutex) })
		v.Groups = append(v.Groups, entry)
		failed = mergeFailures(failed, silent)
	}
	v.Failed = failed
	return f.report(v, len(masters)-len(failed), failed)
}

// mergeFailures keeps one failure of each broker.
func mergeFailures(all, more failures) failures {
	for _, f := range more {
		if !slices.ContainsFunc(all, func(known brokerFailure) bool { return known.Address == f.Address }) {
			all = append(all, f)
		}
	}
	return all
}

// groupNames are those of the tables of all masters, without those that every broker has.
func (s *session) groupNames(ctx context.Context, masters []client.Broker) ([]string, failures) {
	answers, failed := askAll(masters, func(b client.Broker) ([]client.GroupConfig, error) { return s.admin.Groups(ctx, b.Address) })
	var names []string
	for _, a := range answers {
		for _, group := range a.value {
			if !proto.IsSystemGroup(group.Name) {
				names = append(names, group.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), failed
}

// addProgress adds what one broker knows of a group.
func (s *session) addProgress(ctx context.Context, b client.Broker, entry *groupEntry, mutex *sync.Mutex) error {
	stats, err := s.admin.ConsumeStats(ctx, b.Address, entry.Group, "")
	if err != nil {
		return err
	}
	connection, _, err := s.admin.Consumers(ctx, b.Address, entry.Group)
	if err != nil {
		return err
	}
	mutex.Lock()
	defer mutex.Unlock()
	entry.add(stats, connection)
	return nil
}

// shortType is PULL, PUSH or POP, and how the members share messages that are given to them, as RocketMQ's tool shows it.
func shortType(connection *client.ConsumerConnection) (kind, model string) {
	switch {
	case len(connection.Members) == 0:
		return "", ""
	case connection.ConsumeType == proto.ConsumePull:
		return "PULL", ""
	case connection.ConsumeType == proto.ConsumePop:
		return "POP", connection.Model.String()
	}
	return "PUSH", connection.Model.String()
}
