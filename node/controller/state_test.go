package controller

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawCommand draws a command that mostly could be carried out: epochs are often the present ones.
func drawCommand(t *rapid.T, s *state) *command {
	name := rapid.SampledFrom([]string{"g", "h"}).Draw(t, "name")
	g := s.groups[name]
	if g == nil {
		g = &group{}
	}
	id := rapid.Int64Range(1, 5)
	near := func(label string, present int32) int32 {
		if rapid.IntRange(0, 9).Draw(t, label) > 0 {
			return present
		}
		return present + rapid.Int32Range(-1, 1).Draw(t, label+" off")
	}
	c := &command{
		Kind: rapid.SampledFrom([]kind{kindApplyID, kindRegister, kindElect, kindAlterSet, kindAlterSet, kindClean, kindTimeout}).Draw(t, "kind"),
		Name: name, Cluster: "c", ID: id.Draw(t, "id"), MasterEpoch: near("epoch", g.Epoch), SetEpoch: near("set epoch", g.SetEpoch),
		Incarnation: rapid.Int64Range(-1, 4).Draw(t, "incarnation"), LogEnd: rapid.Int64Range(0, 100).Draw(t, "log end"),
		Whole: rapid.Bool().Draw(t, "whole"), TimeoutMillis: rapid.Int64Range(1, 10).Draw(t, "timeout"), LastEpoch: rapid.Int32Range(0, 5).Draw(t, "last epoch"),
	}
	switch c.Kind {
	case kindApplyID:
		c.CheckCode = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "code")
		if rapid.Bool().Draw(t, "next") {
			c.ID = s.nextID(name)
		}
	case kindRegister:
		c.Address = "address:1"
	case kindElect:
		c.Why = rapid.SampledFrom(causes).Draw(t, "why")
		if m := g.member(c.ID); m != nil && rapid.Bool().Draw(t, "present incarnation") {
			c.Incarnation = m.Incarnation
		}
	case kindAlterSet:
		if rapid.Bool().Draw(t, "by the master") {
			c.ID = g.Master
		}
		c.NewSet = sortedIDs(rapid.SliceOfN(id, 0, 4).Draw(t, "set"))
		c.Confirmed = rapid.Int64Range(0, 100).Draw(t, "confirmed")
	case kindClean:
		c.IDs = sortedIDs(rapid.SliceOfN(id, 0, 3).Draw(t, "ids"))
	}
	return c
}

// checkStep demands what no command may break.
func checkStep(t require.TestingT, c *command, before, after *group) {
	require.NoError(t, after.check())
	require.GreaterOrEqual(t, after.NextID, before.NextID, "ids are not used again")
	require.LessOrEqual(t, after.Epoch-before.Epoch, int32(1))
	require.LessOrEqual(t, after.SetEpoch-before.SetEpoch, int32(1))
	require.GreaterOrEqual(t, after.Epoch, before.Epoch)
	require.GreaterOrEqual(t, after.SetEpoch, before.SetEpoch)
	elected := after.Epoch > before.Epoch
	require.Equal(t, c.Kind == kindElect, elected)
	if after.Master != before.Master {
		require.True(t, elected || after.Master == nobody, "a master needs an epoch of its own")
	}
	if elected {
		require.NotEqual(t, before.Master, after.Master)
		require.True(t, c.Why == whyUnclean || c.Why == whyFirst && len(before.InSync) == 0 || before.isInSync(after.Master))
		require.True(t, c.Why == whyUnclean || c.Why == whyFirst || slices.Equal(before.InSync, after.InSync), "an election keeps the set")
	}
	if !slices.Equal(before.InSync, after.InSync) {
		require.Greater(t, after.SetEpoch, before.SetEpoch)
	}
	if len(before.InSync) > 0 && len(after.InSync) == 0 {
		require.Empty(t, after.Members, "the set is empty only where nobody is left")
	}
	if after.Confirmed < before.Confirmed {
		require.True(t, c.Kind == kindClean || c.Why == whyUnclean || c.Kind == kindRegister && len(after.InSync) == 1 && after.isInSync(c.ID))
	}
	if c.Kind == kindRegister && before.member(c.ID) != nil {
		m := after.member(c.ID)
		require.True(t, m.Incarnation == before.member(c.ID).Incarnation || after.Master != c.ID, "each incarnation of a master has an epoch of its own")
		require.True(t, c.Whole || m.Incarnation == before.member(c.ID).Incarnation || !after.isInSync(c.ID) || len(after.InSync) == 1)
	}
}

func TestNoCommandBreaksAnInvariant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newState()
		codes := map[string]string{}
		for range rapid.IntRange(1, 60).Draw(t, "commands") {
			c := drawCommand(t, s)
			before := &group{NextID: 1}
			if g := s.groups[c.Name]; g != nil {
				before = g.clone()
			}
			text := s.marshal()
			if r := s.apply(c); r != nil {
				require.Equal(t, string(text), string(s.marshal()), "what is refused changes nothing")
				require.NotEmpty(t, r.text)
				continue
			}
			checkStep(t, c, before, s.groups[c.Name])
			if c.Kind == kindApplyID {
				key := fmt.Sprint(c.Name, " ", c.ID)
				require.True(t, codes[key] == "" || codes[key] == c.CheckCode, "an id has one owner, for ever")
				codes[key] = c.CheckCode
			}
			again, err := unmarshalState(s.marshal())
			require.NoError(t, err)
			require.Equal(t, string(s.marshal()), string(again.marshal()))
		}
	})
}

// The state after the same commands is the same, wherever a snapshot came between.
func TestASnapshotStandsForTheCommandsBeforeIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		straight, broken := newState(), newState()
		for range rapid.IntRange(1, 40).Draw(t, "commands") {
			c := drawCommand(t, straight)
			copied, err := unmarshalCommand(c.marshal())
			require.NoError(t, err)
			straight.apply(c)
			broken.apply(copied)
			if rapid.IntRange(0, 4).Draw(t, "snapshot") == 0 {
				broken, err = unmarshalState(broken.marshal())
				require.NoError(t, err)
			}
		}
		require.Equal(t, string(straight.marshal()), string(broken.marshal()))
	})
}

func TestWhatANewerVersionWroteIsRefused(t *testing.T) {
	for _, text := range []string{`{"v":2}`, `{"v":1,"kind":"invented","name":"g"}`} {
		_, err := unmarshalCommand([]byte(text))
		require.ErrorIs(t, err, errNewer, text)
	}
	_, err := unmarshalCommand([]byte(`{"v":1,"kind":"clean","name":"g","further":1}`))
	require.ErrorIs(t, err, errDamaged)
	_, err = unmarshalState([]byte(`{"v":2}`))
	require.ErrorIs(t, err, errNewer)
}

func TestStatesThatCannotBeAreRefused(t *testing.T) {
	for _, text := range []string{
		``, `{"v":1,"groups":[null]}`, `{"v":1,"groups":[{"name":"g","nextId":1},{"name":"g","nextId":1}]}`,
		`{"v":1,"groups":[{"name":"g","nextId":2,"members":[{"id":2}]}]}`,
		`{"v":1,"groups":[{"name":"g","nextId":3,"members":[{"id":2},{"id":1}]}]}`,
		`{"v":1,"groups":[{"name":"g","nextId":2,"members":[{"id":1}],"inSync":[1,1]}]}`,
		`{"v":1,"groups":[{"name":"g","nextId":2,"members":[{"id":1}],"inSync":[7]}]}`,
		`{"v":1,"groups":[{"name":"g","nextId":2,"members":[{"id":1}],"master":1}]}`,
		`{"v":1,"groups":[{"name":"g","nextId":2,"epoch":-1}]}`,
	} {
		_, err := unmarshalState([]byte(text))
		require.ErrorIs(t, err, errDamaged, text)
	}
}

// FuzzCommands: no text makes the reader panic, what was read is written as the same, and can be carried out or is refused.
func FuzzCommands(f *testing.F) {
	for _, c := range []*command{
		{Kind: kindApplyID, Name: "g", ID: 1, CheckCode: "a"}, {Kind: kindRegister, Name: "g", ID: 1, Whole: true}, {Kind: kindElect, Name: "g", ID: 1, Why: whyFirst},
		{Kind: kindAlterSet, Name: "g", NewSet: []int64{1, 2}, Incarnations: []proto.MemberIncarnation{{BrokerID: 1, Incarnation: 2}}}, {Kind: kindClean, Name: "g"},
	} {
		f.Add(c.marshal())
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := unmarshalCommand(text)
		if err != nil {
			return
		}
		again, err := unmarshalCommand(c.marshal())
		require.NoError(t, err)
		require.Equal(t, c.marshal(), again.marshal())
		s := newState()
		s.apply(&command{Kind: kindApplyID, Name: c.Name, Cluster: c.Cluster, ID: 1})
		_ = s.apply(c)
	})
}

// FuzzStates: no text makes the reader panic, and what was read can be worked with.
func FuzzStates(f *testing.F) {
	s := newState()
	s.apply(&command{Kind: kindApplyID, Name: "g", ID: 1})
	f.Add(s.marshal())
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := unmarshalState(text)
		if err != nil {
			return
		}
		again, err := unmarshalState(s.marshal())
		require.NoError(t, err)
		require.Equal(t, s.marshal(), again.marshal())
		for _, name := range s.names() {
			_ = s.apply(&command{Kind: kindElect, Name: name, ID: 1, Why: whyDead})
		}
	})
}
