package scenario

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/filter/filtertest"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/message"
)

var filtersScenario = Scenario{
	Name:  "filters",
	About: "groups with tags and SQL92 expressions get exactly the messages that a second evaluator selects, under all faults",
	Marks: []string{
		"send acknowledged", "selected by tags", "passed over by tags", "selected by SQL", "passed over by SQL", "equal hashes of different tags",
		"a member joined", "a member left", "a member crashed: process killed", "a member crashed: power loss",
		"woken by tags", "woken by SQL", "woken behind a message that does not match",
	},
	run: runFilters,
}

// filters is the state of one run.
type filters struct {
	*fleet
	groups   []*filterGroup
	sent     map[linearizability.Hash]map[string]string // properties of messages, but for those of the probe, which have none
	handling time.Duration
}

// filterGroup is a group and what it wants.
type filterGroup struct {
	name     string
	tags     string           // a TAG expression, or
	tree     *filtertest.Tree // SQL92
	text     string           // as it is written
	got      map[linearizability.Hash]bool
	match    map[string]string // properties of a message that it wants, nil if none is known
	mismatch map[string]string // and of one that it does not want
}

// tagPool has two tags of the same hash.
var tagPool = []string{"Aa", "BB", "paid", "5", "Ünïcode €"}

func runFilters(r *run) {
	f := &filters{
		fleet: newFleet(r, fleetBounds{producers: 2, members: 4, shortest: 10 * time.Second, longest: 60 * time.Second, think: 300 * time.Millisecond}),
		sent:  map[linearizability.Hash]map[string]string{},
	}
	f.handling = r.draw.duration("longest call of a handler", 0, 100*time.Millisecond)
	for number := range int(r.draw.number("groups", 1, 3)) {
		f.groups = append(f.groups, f.newGroup(number))
	}
	for _, m := range f.members {
		m.options = f.memberOptions
	}
	f.send, f.caughtUp, f.finally = f.sendDrawn, f.missing, f.demandWakes
	f.play(func(c *pubsubClient) (err error) {
		c.producer, err = client.NewProducer(c.env, f.producerOptions()...)
		return err
	})
}

// newGroup draws what a group wants: something that some messages fulfil, if it can be found.
func (f *filters) newGroup(number int) *filterGroup {
	random := f.kernel.Stream(fmt.Sprint("group ", number))
	g := &filterGroup{name: fmt.Sprint("filter", number), got: map[linearizability.Hash]bool{}}
	bySQL := random.Chance(0.6)
	for range 50 {
		if bySQL {
			g.tree = filtertest.Generate(random.IntN, 2+random.IntN(4))
			g.text = g.tree.Text(random.IntN)
			if g.tree.Refused() != "" {
				continue
			}
		} else {
			g.tags = drawTags(random)
			g.text = g.tags
		}
		if g.sample(random); g.match != nil && g.mismatch != nil {
			break
		}
	}
	if g.tree != nil && g.tree.Refused() != "" {
		g.tree, g.tags, g.text = nil, "paid", "paid"
	}
	f.draw.note("filter of "+g.name, g.text)
	return g
}

func drawTags(random *sim.Stream) string {
	var tags []string
	for range 1 + random.IntN(3) {
		tags = append(tags, tagPool[random.IntN(len(tagPool))])
	}
	return strings.Join(tags, " || ")
}

// sample looks for a message that the group wants and one that it does not.
func (g *filterGroup) sample(random *sim.Stream) {
	g.match, g.mismatch = nil, nil
	for range 40 {
		if properties := drawProperties(random); g.wants(properties) {
			g.match = properties
		} else {
			g.mismatch = properties
		}
	}
}

// drawProperties draws what a message has. There are no empty values: clients refuse them.
func drawProperties(random *sim.Stream) map[string]string {
	properties := filtertest.Message(random.IntN)
	if random.Chance(0.6) {
		properties[message.PropertyTags] = tagPool[random.IntN(len(tagPool))]
	}
	maps.DeleteFunc(properties, func(_, value string) bool { return value == "" })
	return properties
}

// wants asks the second evaluator.
func (g *filterGroup) wants(properties map[string]string) bool {
	if g.tree != nil {
		return g.tree.Matches(properties)
	}
	tag, has := properties[message.PropertyTags]
	return filtertest.MatchesTags(g.tags, tag, has)
}

func (g *filterGroup) kind() string {
	if g.tree != nil {
		return "SQL"
	}
	return "tags"
}

func (f *filters) groupOf(m *fleetMember) *filterGroup { return f.groups[m.number%len(f.groups)] }

func (f *filters) memberOptions(m *fleetMember) []client.PushOption {
	g := f.groupOf(m)
	filter := client.SQL(g.text)
	if g.tree == nil {
		filter = client.Tags(g.tags)
	}
	options := []client.PushOption{
		client.WithNameServers(f.cluster.NameServerAddresses()...), client.WithGroup(g.name), client.WithConsumeFrom(client.FromFirst),
		client.WithHandler(f.handler(m, m.env, g)), client.WithHold(f.work.hold), client.WithPullTimeout(f.work.hold + 2*time.Second),
		client.WithRequestTimeout(2 * time.Second), client.WithRouteRefresh(5 * time.Second), client.WithOffsetStoring(time.Second),
	}
	for _, topic := range f.topics {
		options = append(options, client.WithSubscription(topic, filter))
	}
	return options
}

// handler checks that a message is wanted.
func (f *filters) handler(m *fleetMember, e env.Env, g *filterGroup) client.Handler {
	return func(_ context.Context, messages []*client.Received) error {
		for _, r := range messages {
			f.whole(r)
			hash := linearizability.HashOf(r.Body)
			properties := f.sent[hash]
			for _, name := range slices.Sorted(maps.Keys(properties)) {
				if got := r.Properties.Get(name); got != properties[name] {
					f.failSafety("%v was sent with %s=%q and came with %q", r, name, properties[name], got)
				}
			}
			if !g.wants(properties) {
				f.failSafety("%s of group %s, which wants %s, was given %v with %q", m, g.name, g.text, r, properties)
			}
			e.Tasks.Sleep(time.Duration(m.random.Between(0, int64(f.handling))))
			f.Operations++
			g.got[hash] = true
			f.kernel.Mark("selected by " + g.kind())
		}
		return nil
	}
}

// message makes one with properties.
func (f *filters) message(topic string, body []byte, properties map[string]string) *client.Message {
	m := marked(topic, body)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		m.Properties.Set(name, properties[name])
	}
	f.sent[linearizability.HashOf(body)] = properties
	return m
}

func (f *filters) sendDrawn(c *pubsubClient) {
	f.record(c, f.message(f.topics[c.random.IntN(len(f.topics))], c.body(), drawProperties(c.random)))
}

// missing tells which message a group wants and has not got.
func (f *filters) missing() string {
	for number, g := range f.groups {
		if number >= len(f.members) {
			break // it has no members
		}
		for _, queue := range f.queues {
			for _, entry := range f.Logs[queue.String()].Entries {
				wanted := g.wants(f.sent[entry.Hash])
				if wanted && !g.got[entry.Hash] {
					return fmt.Sprintf("group %s, which wants %s, did not get the message at %d of %v with %q", g.name, g.text, entry.Offset, queue, f.sent[entry.Hash])
				}
				f.markPassedOver(g, wanted, f.sent[entry.Hash])
			}
		}
	}
	return ""
}

func (f *filters) markPassedOver(g *filterGroup, wanted bool, properties map[string]string) {
	if wanted {
		return
	}
	f.kernel.Mark("passed over by " + g.kind())
	tag := properties[message.PropertyTags]
	if g.tree == nil && (tag == "Aa" && g.wants(map[string]string{message.PropertyTags: "BB"}) || tag == "BB" && g.wants(map[string]string{message.PropertyTags: "Aa"})) {
		f.kernel.Mark("equal hashes of different tags")
	}
}

// membersSettle is how long dead members may keep queues to themselves, and a little.
const membersSettle = 150 * time.Second

// demandWakes demands that held pulls end soon after a message that matches, also if another one comes first.
func (f *filters) demandWakes(probe *pubsubClient) {
	f.observer.Tasks.Sleep(membersSettle)
	for number, g := range f.groups {
		if number >= len(f.members) || g.match == nil {
			continue
		}
		for _, queue := range f.queues {
			if g.mismatch != nil {
				for range probe.random.IntN(3) {
					f.sendNow(probe, queue, g.mismatch)
					f.kernel.Mark("woken behind a message that does not match")
					f.observer.Tasks.Sleep(time.Duration(probe.random.Between(0, int64(300*time.Millisecond))))
				}
			}
			hash := f.sendNow(probe, queue, g.match)
			deadline := f.observer.Clock.Now().Add(wakeWithin)
			for !g.got[hash] && !deadline.Reached(f.observer.Clock.Now()) {
				f.observer.Tasks.Sleep(20 * time.Millisecond)
			}
			if !g.got[hash] {
				f.failLiveness("group %s, which wants %s, did not get a message of %v with %q within %s", g.name, g.text, queue, g.match, wakeWithin)
				return
			}
			f.kernel.Mark("woken by " + g.kind())
		}
	}
}

// sendNow sends though the final logs were read: nobody judges these messages.
func (f *filters) sendNow(probe *pubsubClient, queue client.Queue, properties map[string]string) linearizability.Hash {
	body := probe.body()
	if _, err := probe.steady.SendTo(context.Background(), queue, f.message(queue.Topic, body, properties)); err != nil {
		f.failLiveness("%v refuses a message though nothing is broken: %v", queue, err)
	}
	return linearizability.HashOf(body)
}
