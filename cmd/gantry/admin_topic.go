package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

// topicChange is what updateTopic is told.
type topicChange struct {
	broker, cluster, topic, attributes string
	read, write, perm                  int
	order, unit, unitSubscription      bool
}

func newUpdateTopic(f *adminFlags) *cobra.Command {
	var change topicChange
	cmd := &cobra.Command{
		Use:   "updateTopic",
		Short: "Make a topic, or change it",
		Long: `Makes a topic, or changes it. Of the attributes, reserve.time is for how many milliseconds messages can be read, and reserve.size
how many bytes of messages each queue keeps (Gantry's own); -1 sets no limit but that of the broker.`,
		Example: `  gantry admin updateTopic -n localhost:9876 -c DefaultCluster -t orders
  gantry admin updateTopic -n localhost:9876 -b 192.168.1.2:10911 -t orders -r 16 -w 16
  gantry admin updateTopic -n localhost:9876 -c DefaultCluster -t orders -a +message.type=FIFO
  gantry admin updateTopic -n localhost:9876 -c DefaultCluster -t logs -a +reserve.time=3600000,+reserve.size=1073741824`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "topic"); err != nil {
				return err
			}
			if err := oneOf(cmd, "brokerAddr", "clusterName"); err != nil {
				return err
			}
			topic, err := change.config()
			if err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.updateTopic(ctx, s, &change, topic) })
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&change.broker, "brokerAddr", "b", "", "make it at the broker with this `address`, host:port")
	flags.StringVarP(&change.cluster, "clusterName", "c", "", "make it at all masters of this `cluster`")
	flags.StringVarP(&change.topic, "topic", "t", "", "`name` of the topic; required")
	flags.IntVarP(&change.read, "readQueueNums", "r", 8, "`number` of queues to consume from")
	flags.IntVarP(&change.write, "writeQueueNums", "w", 8, "`number` of queues to send to")
	flags.IntVarP(&change.perm, "perm", "p", 6, "what clients may do, a `number`: 2 write, 4 read, 6 both")
	flags.BoolVarP(&change.order, "order", "o", false, "the topic is ordered; `true|false`")
	flags.BoolVarP(&change.unit, "unit", "u", false, "the topic belongs to one unit; `true|false`")
	flags.BoolVarP(&change.unitSubscription, "hasUnitSub", "s", false, "the topic has subscriptions from units; `true|false`")
	flags.StringVarP(&change.attributes, "attributes", "a", "", "`attributes` to set or remove, +key=value,-key")
	needsValue(cmd, "order", "unit", "hasUnitSub")
	return cmd
}

// config checks what was typed.
func (c *topicChange) config() (client.TopicConfig, error) {
	topic := proto.NewTopicConfig(c.topic)
	if c.read < 1 || c.write < 1 || c.read > maxQueues || c.write > maxQueues {
		return topic, wrongUsage("-r and -w: %d and %d are not numbers of queues between 1 and %d", c.read, c.write, maxQueues)
	}
	topic.ReadQueues, topic.WriteQueues, topic.Perm, topic.Ordered = int32(c.read), int32(c.write), proto.Perm(c.perm), c.order
	if !topic.Perm.Valid() {
		return topic, wrongUsage("-p: %d is none of 2 (write), 4 (read), 6 (both)", c.perm)
	}
	if c.unit {
		topic.SysFlags |= proto.TopicUnit
	}
	if c.unitSubscription {
		topic.SysFlags |= proto.TopicUnitSubscription
	}
	attributes, err := parseAttributes(c.attributes)
	topic.Attributes = attributes
	return topic, err
}

// maxQueues bounds the queues of one topic, as brokers do.
const maxQueues = 65536

// parseAttributes reads +key=value,-key. What is to be removed keeps its sign.
func parseAttributes(text string) (map[string]string, error) {
	changes, err := parseAttributeChanges("-a", text)
	if err != nil || changes == nil {
		return nil, err
	}
	attributes := map[string]string{}
	for key, value := range changes {
		attributes[strings.TrimPrefix(key, "+")] = value
	}
	return attributes, nil
}

// updateTopic makes the topic and prints where, in the words of RocketMQ's tool. If some brokers
// did it and some did not, that is a failure of its own.
func (f *adminFlags) updateTopic(ctx context.Context, s *session, change *topicChange, topic client.TopicConfig) error {
	done, err := []string{change.broker}, error(nil)
	if change.cluster != "" {
		done, err = s.admin.UpdateTopicInCluster(ctx, change.cluster, topic)
	} else if err = s.admin.UpdateTopic(ctx, change.broker, topic); err != nil {
		done = nil
	}
	if err == nil && topic.Ordered {
		err = s.noteOrder(ctx, topic, done)
	}
	v := &updatedView{Topic: topic.Name, Brokers: done, text: topic.String()}
	shown := f.show(v)
	if err != nil && len(done) > 0 {
		err = &failure{cause: err, code: exitPartly, advice: "repeat the command once all brokers can be reached"}
	}
	return errors.Join(err, shown)
}

// noteOrder tells the name servers how many queues of an ordered topic each broker has, so that producers go on to
// use the same queues while one is away. What is said of other brokers stays.
func (s *session) noteOrder(ctx context.Context, topic client.TopicConfig, addresses []string) error {
	info, err := s.admin.Cluster(ctx)
	if err != nil {
		return err
	}
	known, _, err := s.admin.GetConfig(ctx, proto.OrderTopicNamespace, topic.Name)
	if err != nil {
		return err
	}
	queues := map[string]string{}
	for part := range strings.SplitSeq(known, ";") {
		if name, count, ok := strings.Cut(part, ":"); ok {
			queues[name] = count
		}
	}
	for i := range info.Brokers {
		if master, ok := info.Brokers[i].Master(); ok && slices.Contains(addresses, master) {
			queues[info.Brokers[i].BrokerName] = number(topic.WriteQueues)
		}
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(queues)) {
		parts = append(parts, name+":"+queues[name])
	}
	return s.admin.PutConfig(ctx, proto.OrderTopicNamespace, topic.Name, strings.Join(parts, ";"))
}

func newTopicList(f *adminFlags) *cobra.Command {
	var clusters bool
	cmd := &cobra.Command{
		Use:     "topicList",
		Short:   "List all topics",
		Long:    "Lists all topics, one on each line.",
		Example: "  gantry admin topicList -n localhost:9876\n  gantry admin topicList -n localhost:9876 -c",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.topicList(ctx, s, clusters) })
		},
	}
	cmd.Flags().BoolVarP(&clusters, "clusterModel", "c", false, "show their clusters")
	return cmd
}

func (f *adminFlags) topicList(ctx context.Context, s *session, clusters bool) error {
	topics, err := s.admin.Topics(ctx)
	if err != nil {
		return err
	}
	v := newTopicListView(topics)
	if !clusters {
		return f.show(v)
	}
	info, err := s.admin.Cluster(ctx)
	if err != nil {
		return err
	}
	for _, cluster := range info.Clusters {
		topics, err := s.admin.TopicsOfCluster(ctx, cluster.Name)
		if err != nil {
			return fmt.Errorf("topics of cluster %s: %w", cluster.Name, err)
		}
		v.addCluster(cluster.Name, topics)
	}
	return f.show(v)
}

func newTopicRoute(f *adminFlags) *cobra.Command {
	var topic string
	var list bool
	cmd := &cobra.Command{
		Use:     "topicRoute",
		Short:   "Show which brokers have queues of a topic",
		Long:    "Shows which brokers have queues of a topic.",
		Example: "  gantry admin topicRoute -n localhost:9876 -t orders",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "topic"); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error {
				route, err := s.admin.Route(ctx, topic)
				if err != nil {
					return err
				}
				return f.show(newRoute(topic, route))
			})
		},
	}
	cmd.Flags().StringVarP(&topic, "topic", "t", "", "`name` of the topic; required")
	cmd.Flags().BoolVarP(&list, "list", "l", false, "show a table, which is what is shown anyway unless --json is given")
	return cmd
}

func newTopicStatus(f *adminFlags) *cobra.Command {
	var topic, cluster string
	cmd := &cobra.Command{
		Use:     "topicStatus",
		Short:   "Show how far the queues of a topic reach",
		Long:    "Shows the oldest offset, the next offset and the time of the last message of each queue.",
		Example: "  gantry admin topicStatus -n localhost:9876 -t orders",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "topic"); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.topicStatus(ctx, s, topic, cluster) })
		},
	}
	cmd.Flags().StringVarP(&topic, "topic", "t", "", "`name` of the topic; required")
	cmd.Flags().StringVarP(&cluster, "cluster", "c", "", "show only brokers of this `cluster`")
	return cmd
}

func (f *adminFlags) topicStatus(ctx context.Context, s *session, topic, cluster string) error {
	stats, err := s.admin.TopicStats(ctx, topic)
	if err != nil {
		return err
	}
	v := newTopicStatusView(topic, stats)
	if cluster != "" {
		info, err := s.admin.Cluster(ctx)
		if err != nil {
			return err
		}
		v.keepBrokers(brokersOf(info, cluster))
	}
	return f.show(v)
}

// brokersOf lists the broker names of a cluster.
func brokersOf(info *client.ClusterInfo, cluster string) []string {
	for _, c := range info.Clusters {
		if c.Name == cluster {
			return c.BrokerNames
		}
	}
	return nil
}

// parseAttributeChanges reads +key=value,-key. In the result the signs are part of the keys, and what is removed has no value.
func parseAttributeChanges(option, text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	changes := map[string]string{}
	for change := range strings.SplitSeq(text, ",") {
		key, value, hasValue := strings.Cut(strings.TrimSpace(change), "=")
		sets, removes := strings.HasPrefix(key, "+"), strings.HasPrefix(key, "-")
		if len(key) < 2 || !(sets && hasValue) && !(removes && !hasValue) {
			return nil, wrongUsage("%s: %q is neither +key=value nor -key", option, change)
		}
		changes[key] = value
	}
	return changes, nil
}
