package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

// statusQuery is what consumerStatus is told.
type statusQuery struct {
	group, clientID, broker string
	stack                   bool
}

func newConsumerStatus(f *adminFlags) *cobra.Command {
	var q statusQuery
	cmd := &cobra.Command{
		Use:   "consumerStatus",
		Short: "Show what the members of a consumer group do, and what is wrong with them",
		Long: `Asks the members of a consumer group what they do, and compares their answers: whether all subscribe the same, whether each queue has one
of them, and whether any of them is stuck. With -i it shows all that one member says. Nothing is written to files.`,
		Example: `  gantry admin consumerStatus -n localhost:9876 -g billing
  gantry admin consumerStatus -n localhost:9876 -g billing -i 192.168.1.7@12345 -s`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "consumerGroup"); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.consumerStatus(ctx, s, &q) })
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&q.group, "consumerGroup", "g", "", "`name` of the group; required")
	flags.StringVarP(&q.clientID, "clientId", "i", "", "show only the client with this `id`, and all of it")
	flags.StringVarP(&q.broker, "brokerAddr", "b", "", "ask through the broker with this `address`, host:port")
	flags.BoolVarP(&q.stack, "jstack", "s", false, "show what the threads of the clients do")
	return cmd
}

func (f *adminFlags) consumerStatus(ctx context.Context, s *session, q *statusQuery) error {
	brokers, err := (&target{broker: q.broker}).members(ctx, s, true)
	if err != nil {
		return err
	}
	lists, failed := s.members(ctx, brokers, q.group)
	if q.clientID != "" {
		lists = keepClient(lists, q.clientID)
	}
	switch {
	case len(lists) == 0 && len(failed) == 0 && q.clientID != "":
		return &failure{cause: fmt.Errorf("no member of group %s has the client id %s", q.group, q.clientID), code: exitFailed, advice: "see the ids with consumerConnection"}
	case len(lists) == 0 && len(failed) == 0:
		return offline("consumer", q.group)
	}
	infos, silent := s.runningInfos(ctx, lists, q.group, q.stack)
	v := newGroupStatusView(q.group, infos, append(failed, silent...))
	v.whole = q.clientID != ""
	if !v.whole {
		v.Problems = append(twins(lists), diagnoseGroup(infos, s.queuesOf(ctx, infos), time.Now())...)
	}
	return f.report(v, len(infos), v.Failed)
}

func keepClient(lists []memberList, clientID string) []memberList {
	var kept []memberList
	for _, list := range lists {
		for _, c := range list.connection.Members {
			if c.ClientID == clientID {
				connection := *list.connection
				connection.Members = []proto.Connection{c}
				kept = append(kept, memberList{list.broker, &connection})
			}
		}
	}
	return kept
}

// queuesOf lists the queues of the topics that members subscribe. A topic that cannot be found has none.
func (s *session) queuesOf(ctx context.Context, infos []memberInfo) map[string][]client.Queue {
	queues := map[string][]client.Queue{}
	for _, m := range infos {
		for _, subscription := range m.info.Subscriptions {
			topic := subscription.Topic
			if _, known := queues[topic]; known {
				continue
			}
			queues[topic] = nil
			route, err := s.admin.Route(ctx, topic)
			if err != nil {
				continue
			}
			for _, q := range route.Queues {
				for id := int32(0); id < q.ReadQueues && q.Perm.Readable(); id++ {
					queues[topic] = append(queues[topic], client.Queue{Topic: topic, BrokerName: q.BrokerName, QueueID: id})
				}
			}
		}
	}
	return queues
}

// stuckAfter is how long a member may do nothing with a queue that has something for it.
const stuckAfter = 2 * time.Minute

// diagnoseGroup finds what is wrong between the members of a group, in sentences without a full stop.
func diagnoseGroup(infos []memberInfo, queues map[string][]client.Queue, now time.Time) []string {
	problems := []string{}
	for i := range infos {
		if i > 0 && subscriptionText(infos[i].info) != subscriptionText(infos[0].info) {
			problems = append(problems, fmt.Sprintf("%s subscribes something else than %s: all members of a group must subscribe the same",
				infos[i].ClientID, infos[0].ClientID))
		}
		problems = append(problems, stuckQueues(&infos[i], now)...)
	}
	return append(problems, sharedQueues(infos, queues)...)
}

// twins finds members with one client id. Each of them takes the queues of that id, so that all of their messages come twice. A member that has
// just connected again may look like two until its old connection has ended.
func twins(lists []memberList) []string {
	problems := []string{}
	for _, list := range lists {
		seen := map[string]string{}
		for _, c := range list.connection.Members {
			other, twice := seen[c.ClientID]
			problem := c.ClientID + " is connected twice: if these are two members, give them different instance names, or each message is consumed by both"
			if twice && other != c.Address && !slices.Contains(problems, problem) {
				problems = append(problems, problem)
			}
			seen[c.ClientID] = c.Address
		}
	}
	return problems
}

// subscriptionText tells what is subscribed, for comparison.
func subscriptionText(info *client.RunningInfo) string {
	var all []string
	for _, s := range info.Subscriptions {
		all = append(all, s.Topic+" "+s.ExpressionType+" "+s.Expression)
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func stuckQueues(m *memberInfo, now time.Time) []string {
	var problems []string
	for i := range m.info.Queues {
		q := &m.info.Queues[i]
		since := func(millis int64) time.Duration { return now.Sub(time.UnixMilli(millis)).Round(time.Second) }
		switch {
		case q.Dropped || q.PulledAt == 0:
		case q.Cached > 0 && q.ConsumedAt > 0 && since(q.ConsumedAt) > stuckAfter:
			problems = append(problems, fmt.Sprintf("%s has consumed nothing of %s for %v, although %d messages wait: its handler hangs, see -i %s -s",
				m.ClientID, q.Queue, since(q.ConsumedAt), q.Cached, m.ClientID))
		case q.Cached == 0 && since(q.PulledAt) > stuckAfter:
			problems = append(problems, fmt.Sprintf("%s has not pulled from %s for %v", m.ClientID, q.Queue, since(q.PulledAt)))
		}
	}
	return problems
}

// sharedQueues finds queues that two members have, and those that none has. Members that broadcast have all.
func sharedQueues(infos []memberInfo, queues map[string][]client.Queue) []string {
	owners := map[client.Queue][]string{}
	for _, m := range infos {
		for _, q := range m.info.Queues {
			if !q.Dropped {
				owners[q.Queue] = append(owners[q.Queue], m.ClientID)
			}
		}
	}
	var problems []string
	topics := make([]string, 0, len(queues))
	for topic := range queues {
		topics = append(topics, topic)
	}
	slices.Sort(topics)
	for _, topic := range topics {
		if len(queues[topic]) == 0 && !proto.IsRetryTopic(topic) {
			problems = append(problems, fmt.Sprintf("topic %s is subscribed, but no broker has queues of it to read", topic))
		}
		for _, queue := range queues[topic] {
			switch who := owners[queue]; {
			case len(who) == 0 && len(owners) > 0:
				problems = append(problems, fmt.Sprintf("no member has %s: its messages are not consumed", queue))
			case len(who) > 1:
				problems = append(problems, fmt.Sprintf("%s is consumed by %s at once", queue, strings.Join(who, " and ")))
			}
		}
	}
	return problems
}
