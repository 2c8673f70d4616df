package replica

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// group is a group of brokers and its controller, without network, disk and time: each step is one thing that happens somewhere. A byte of a log is
// the epoch in which it was written.
type group struct {
	now     env.Instant
	members map[BrokerID]*member
	// What the controller has decided.
	master BrokerID
	epoch  Epoch
	set    Set
	number int32
	// What is on its way to the controller, and what was confirmed by anybody, ever.
	questions []question
	confirmed []byte
}

type question struct {
	epoch  Epoch
	number int32
	set    Set
}

type member struct {
	id      BrokerID
	log     []byte
	flushed int
	epochs  Epochs
	up      bool
	leader  *Leader
	copy    *Follower
	of      BrokerID // whom it follows
}

const groupSize = 4

func newGroup() *group {
	g := &group{now: env.Instant(time.Second), members: map[BrokerID]*member{}}
	for id := BrokerID(1); id <= groupSize; id++ {
		g.members[id] = &member{id: id, up: true}
	}
	g.elect(1, NewSet(1))
	return g
}

func (g *group) any(t *rapid.T, name string) *member {
	return g.members[BrokerID(rapid.IntRange(1, groupSize).Draw(t, name))]
}

// elect is the controller's decision; the one who is elected hears of it at once, the others when they connect.
func (g *group) elect(id BrokerID, set Set) {
	g.master, g.epoch, g.set, g.number = id, g.epoch+1, set, g.number+1
	m := g.members[id]
	if m.epochs.Begin(g.epoch, m.end()) != nil {
		panic("an epoch that is not new")
	}
	m.copy = nil
	m.leader = NewLeader(LeaderOptions{Self: id, Epoch: g.epoch, Set: set, SetEpoch: g.number, Elected: m.end(), MinInSync: 1, BehindFor: 3 * time.Second}, 0, g.now)
	m.leader.Prove(g.now.Add(time.Hour), g.now)
	g.own(m)
}

func (m *member) end() message.LogOffset { return message.LogOffset(len(m.log)) }

func (g *group) own(m *member) {
	m.leader.Own(Position{End: m.end(), Flushed: message.LogOffset(m.flushed)}, g.now)
}

// leading are the brokers that take themselves for the master: there may be several.
func (g *group) leading(t *rapid.T) *member {
	m := g.any(t, "master")
	if !m.up || m.leader == nil {
		t.Skip()
	}
	return m
}

func (g *group) following(t *rapid.T) (copy, master *member) {
	copy = g.any(t, "copy")
	if !copy.up || copy.copy == nil {
		t.Skip()
	}
	master = g.members[copy.of]
	if !master.up || master.leader == nil || master.leader.Epoch() != copy.copy.epoch {
		t.Skip()
	}
	return copy, master
}

func (g *group) connect(t *rapid.T) {
	c := g.any(t, "copy")
	m := g.members[g.master]
	if m == nil || !c.up || c == m || !m.up || m.leader == nil || m.leader.Epoch() != g.epoch {
		t.Skip()
	}
	c.leader = nil
	hello := &Hello{ID: c.id, End: c.end(), Eras: c.epochs.Eras(), SegmentSize: 1 << 20}
	w, err := Answer(hello, &m.epochs, 0, m.end(), m.leader.Confirmed(), 1<<20)
	require.NoError(t, err)
	c.copy, c.of = NewFollower(g.epoch, c.epochs, c.end()), m.id
	plan, err := c.copy.Welcome(g.epoch, w, 0)
	require.NoError(t, err)
	require.Equal(t, string(m.log[:plan.CutAt]), string(c.log[:plan.CutAt]), "what they take for common is not")
	c.log = c.log[:plan.CutAt]
	c.flushed = min(c.flushed, len(c.log))
	c.epochs = Epochs{c.copy.Epochs().Eras()}
	m.leader.Disconnect(c.id)
	m.leader.Connect(c.id, 1, false, g.now)
}

func (g *group) replicate(t *rapid.T) {
	c, m := g.following(t)
	from := c.copy.End()
	if from >= m.end() {
		t.Skip()
	}
	era, until := m.epochs.At(from, m.end())
	to := message.LogOffset(rapid.IntRange(int(from)+1, int(until)).Draw(t, "to"))
	_, err := c.copy.Bytes(m.leader.Epoch(), &Bytes{At: from, Era: era, Confirmed: m.leader.Confirmed(), End: m.end(), Bytes: m.log[from:to]})
	require.NoError(t, err)
	c.log = append(c.log, m.log[from:to]...)
	c.epochs = Epochs{c.copy.Epochs().Eras()}
}

func (g *group) report(t *rapid.T) {
	c, m := g.following(t)
	require.NoError(t, m.leader.Report(c.id, c.copy.epoch, Position{End: c.end(), Flushed: message.LogOffset(c.flushed)}, g.now))
}

func (g *group) ask(t *rapid.T) {
	m := g.leading(t)
	if want, ok := m.leader.Change(g.now); ok {
		m.leader.Ask(want)
		_, number := m.leader.Set()
		g.questions = append(g.questions, question{m.leader.Epoch(), number, want})
	}
}

// decide lets the controller answer, at any time and in any order; the answer may be lost.
func (g *group) decide(t *rapid.T) {
	if len(g.questions) == 0 {
		t.Skip()
	}
	i := rapid.IntRange(0, len(g.questions)-1).Draw(t, "question")
	q := g.questions[i]
	g.questions = slices.Delete(g.questions, i, i+1)
	if q.epoch != g.epoch || q.number != g.number || g.master == 0 {
		return
	}
	g.set, g.number = q.set, g.number+1
	if rapid.Bool().Draw(t, "answered") {
		g.hear(g.members[g.master])
	}
}

func (g *group) hear(m *member) {
	if m.up && m.leader != nil && m.leader.Epoch() == g.epoch {
		m.leader.Decided(g.set, g.number, g.now)
	}
}

// catchUp is what mostly happens: a copy gets all that the master has, and reports that, twice.
func (g *group) catchUp(t *rapid.T) {
	c := g.any(t, "copy")
	m := g.members[g.master]
	if m == nil || m == c || !m.up || !c.up || m.leader == nil || m.leader.Epoch() != g.epoch {
		t.Skip()
	}
	if c.copy == nil || c.of != m.id || c.copy.epoch != g.epoch {
		t.Skip()
	}
	for range 2 {
		for from := c.copy.End(); from < m.end(); from = c.copy.End() {
			era, until := m.epochs.At(from, m.end())
			_, err := c.copy.Bytes(g.epoch, &Bytes{At: from, Era: era, Confirmed: m.leader.Confirmed(), End: m.end(), Bytes: m.log[from:until]})
			require.NoError(t, err)
			c.log = append(c.log, m.log[from:until]...)
		}
		c.epochs, c.flushed = Epochs{c.copy.Epochs().Eras()}, len(c.log)
		require.NoError(t, m.leader.Report(c.id, g.epoch, Position{End: c.end(), Flushed: c.end()}, g.now))
	}
}

func (g *group) crash(t *rapid.T) {
	m := g.any(t, "member")
	kept := rapid.IntRange(m.flushed, len(m.log)).Draw(t, "kept")
	*m = member{id: m.id, log: m.log[:kept], flushed: kept, epochs: m.epochs, up: false}
	m.epochs.FitTo(m.end())
	if g.master == m.id {
		// The next incarnation needs a new epoch.
		g.master = 0
	}
}

func (g *group) check(t *rapid.T) {
	for _, m := range g.members {
		if m.leader == nil {
			continue
		}
		if n := int(m.leader.Confirmed()); n > len(g.confirmed) {
			require.Equal(t, string(g.confirmed), string(m.log[:len(g.confirmed)]))
			g.confirmed = slices.Clone(m.log[:n])
		} else {
			require.Equal(t, string(g.confirmed[:n]), string(m.log[:n]))
		}
	}
	for _, id := range g.set {
		m := g.members[id]
		require.True(t, m.flushed >= len(g.confirmed) && slices.Equal(g.confirmed, m.log[:len(g.confirmed)]), "broker %d is in the set %v and lacks what was confirmed: %v of %v", id, g.set, m.log, g.confirmed)
	}
}

// Whatever happens in whatever order: each member of the set that the controller knows has all that anybody has ever confirmed.
func TestEveryMemberOfTheSetHasAllThatWasConfirmed(t *testing.T) {
	reached := map[string]int{}
	// Few of the short stories come to an election with several copies.
	before := flag.Lookup("rapid.checks").Value.String()
	require.NoError(t, flag.Set("rapid.checks", "10000"))
	t.Cleanup(func() { require.NoError(t, flag.Set("rapid.checks", before)) })
	rapid.Check(t, func(t *rapid.T) {
		g := newGroup()
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				m := g.leading(t)
				m.log = append(m.log, byte(m.leader.Epoch()))
				g.own(m)
			},
			"flush": func(t *rapid.T) {
				m := g.any(t, "member")
				m.flushed = len(m.log)
				if m.leader != nil {
					g.own(m)
				}
			},
			"connect": g.connect, "replicate": g.replicate, "report": g.report, "catch up": g.catchUp, "ask": g.ask, "decide": g.decide, "crash": g.crash,
			"news":  func(t *rapid.T) { g.hear(g.any(t, "member")) },
			"start": func(t *rapid.T) { g.any(t, "member").up = true },
			"pass":  func(t *rapid.T) { g.now = g.now.Add(time.Second) },
			"elect": func(t *rapid.T) {
				m := g.any(t, "candidate")
				if !m.up || !g.set.Has(m.id) || g.epoch > 100 {
					t.Skip()
				}
				// The members that the controller takes for alive stay.
				set := NewSet(m.id)
				for _, id := range g.set {
					if g.members[id].up || rapid.Bool().Draw(t, "stays") {
						set = set.With(id)
					}
				}
				g.elect(m.id, set)
				reached[fmt.Sprintf("elections with %d in sync", len(set))]++
			},
			"": g.check,
		})
		reached["confirmed"] += len(g.confirmed)
		if g.epoch > 2 && len(g.confirmed) > 0 {
			reached["confirmed over elections"]++
		}
	})
	t.Log(reached)
	require.NotZero(t, reached["elections with 2 in sync"])
	require.NotZero(t, reached["confirmed over elections"])
}
