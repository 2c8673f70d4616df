package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/spf13/cobra"
)

func newDoctor(f *adminFlags) *cobra.Command {
	var cluster string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what usually goes wrong, and say how to fix it",
		Long: `Looks for what usually goes wrong in a cluster, and says how to fix each finding: name servers that do not answer or disagree, brokers whose
address cannot be reached from here, brokers that take each other's place, controllers that cannot elect a master, clocks, full disks, permissions,
topics without queues, and groups that nobody consumes for. It changes nothing.

Exit codes: 0 nothing was found, 3 there are warnings, 1 there are errors, 4 no name server answers.`,
		Example: `  gantry admin doctor -n localhost:9876
  gantry admin doctor -n 'ns-1:9876;ns-2:9876' -c DefaultCluster --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd, func(ctx context.Context, s *session) error {
				x, err := s.examine(ctx, cluster)
				if err != nil {
					return err
				}
				v := newDoctorView(x.findings())
				return errors.Join(f.show(v), v.verdict())
			})
		},
	}
	cmd.Flags().StringVarP(&cluster, "cluster", "c", "", "look only at this `cluster`")
	return cmd
}

// examination is all that the doctor looks at. It is gathered first and judged then.
type examination struct {
	nameServers []nameServerFacts
	brokers     []brokerFacts
	elections   []*electionFacts
	topics      []topicFacts
	members     map[string]int // members of the groups that are behind, by group
	skipped     []finding      // what could not be looked at
}

// nameServerFacts are those of one name server.
type nameServerFacts struct {
	address string
	info    *client.ClusterInfo // nil with an error
	err     error
}

// brokerFacts are those of one broker. Everything but the first field is missing if it does not answer.
type brokerFacts struct {
	client.Broker
	err      error
	status   map[string]string // what it tells of itself
	config   map[string]string
	clock    client.ClockReading
	clockErr error
	ownRoute *client.Route            // of a master: that of the topic with its name
	stats    *client.ConsumeStatsList // of a master
}

// topicFacts are those of one topic.
type topicFacts struct {
	name  string
	route *client.Route // nil with an error
	err   error
}

// examine asks everybody. Its only error is that no name server answers, or that the cluster is unknown.
func (s *session) examine(ctx context.Context, cluster string) (*examination, error) {
	x := &examination{members: map[string]int{}}
	servers, err := s.nameServers(ctx)
	if err != nil {
		return nil, err
	}
	infos, failed := askAll(servers, func(server client.Broker) (*client.ClusterInfo, error) { return s.admin.ClusterAt(ctx, server.Address) })
	for _, a := range infos {
		x.nameServers = append(x.nameServers, nameServerFacts{address: a.broker.Address, info: a.value})
	}
	for _, silent := range failed {
		x.nameServers = append(x.nameServers, nameServerFacts{address: silent.Address, err: silent.err})
	}
	if len(infos) == 0 {
		return nil, fmt.Errorf("%w: %w", client.ErrNoNameServer, failed.because(0))
	}
	brokers, err := s.admin.Brokers(ctx, cluster)
	if errors.Is(err, client.ErrNoBroker) && cluster == "" {
		return x, nil
	}
	if err != nil {
		return nil, err
	}
	answers, _ := askAll(brokers, func(b client.Broker) (brokerFacts, error) { return s.examineBroker(ctx, b), nil })
	for _, a := range answers {
		x.brokers = append(x.brokers, a.value)
	}
	s.examineElections(ctx, x)
	s.examineTopics(ctx, cluster, x)
	s.examineGroups(ctx, x)
	return x, nil
}

// examineBroker asks one broker. What fails after the first answer is taken for not known.
func (s *session) examineBroker(ctx context.Context, b client.Broker) brokerFacts {
	facts := brokerFacts{Broker: b}
	if facts.status, facts.err = s.admin.RuntimeInfo(ctx, b.Address); facts.err != nil {
		return facts
	}
	if text, err := s.admin.BrokerConfig(ctx, b.Address); err == nil {
		facts.config = valuesOf(text)
	}
	facts.clock, facts.clockErr = s.admin.Clock(ctx, b.Address)
	if b.IsMaster() {
		// Without them there is nothing to be said about topics and groups.
		facts.ownRoute, _ = s.admin.Route(ctx, b.Name)
		facts.stats, _ = s.admin.AllConsumeStats(ctx, b.Address, false)
	}
	return facts
}

func (s *session) examineTopics(ctx context.Context, cluster string, x *examination) {
	list := s.admin.Topics
	if cluster != "" {
		list = func(ctx context.Context) ([]string, error) { return s.admin.TopicsOfCluster(ctx, cluster) }
	}
	names, err := list(ctx)
	if err != nil {
		x.skipped = append(x.skipped, finding{level: skipped, check: "topics", what: "they cannot be listed: " + err.Error(),
			fix: "name servers list topics if enableAllTopicList and enableTopicList are on (updateNamesrvConfig)"})
		return
	}
	var ordinary []client.Broker
	for _, name := range names {
		if !x.isOwnTopic(name) {
			ordinary = append(ordinary, client.Broker{Name: name})
		}
	}
	answers, _ := askAll(ordinary, func(topic client.Broker) (topicFacts, error) {
		route, err := s.admin.Route(ctx, topic.Name)
		return topicFacts{topic.Name, route, err}, nil
	})
	for _, a := range answers {
		x.topics = append(x.topics, a.value)
	}
}

// examineGroups asks for the members of groups that are behind.
func (s *session) examineGroups(ctx context.Context, x *examination) {
	var masters []client.Broker
	for i := range x.brokers {
		if x.brokers[i].stats != nil {
			masters = append(masters, x.brokers[i].Broker)
		}
	}
	for group := range x.lags() {
		lists, failed := s.members(ctx, masters, group)
		var clients []memberEntry
		for _, list := range lists {
			clients = addMembers(clients, list.broker, list.connection.Members)
		}
		x.members[group] = len(clients)
		if len(failed) > 0 && len(clients) == 0 {
			// Perhaps those that did not answer have some.
			x.members[group] = -1
		}
	}
}

// isLoopback reports whether nobody else can mean the same machine by an address.
func isLoopback(address string) bool {
	host := address
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		host = strings.Trim(address[:i], "[]")
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
