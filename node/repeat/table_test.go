package repeat_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/repeat"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func id(producer byte, sequence int64) repeat.Identity {
	return repeat.Identity{Producer: repeat.Producer{15: producer}, Sequence: sequence}
}

func at(log int64) repeat.Place {
	return repeat.Place{Log: message.LogOffset(log), Offset: 7, QueueID: 3, Topic: 9}
}

func limits() repeat.Limits {
	return repeat.Limits{Window: 3, Producers: 2, Sends: 5, Forget: time.Minute}
}

func verdictOf(t *repeat.Table, i repeat.Identity) repeat.Verdict {
	_, verdict := t.Find(i)
	return verdict
}

func TestTheFirstSendOfASequenceIsTheOneThatCounts(t *testing.T) {
	table := repeat.NewTable(limits())
	require.Equal(t, repeat.New, verdictOf(table, id(1, 5)))
	table.Add(id(1, 5), at(100), 0)
	table.Add(id(1, 5), at(200), 0)
	place, verdict := table.Find(id(1, 5))
	require.Equal(t, repeat.Known, verdict)
	require.Equal(t, at(100), place)
	require.Equal(t, repeat.New, verdictOf(table, id(2, 5)), "another producer")
	require.Equal(t, repeat.New, verdictOf(table, id(1, 4)), "a gap is not what was forgotten")
}

func TestOnlyTheLastSendsOfAProducerAreRemembered(t *testing.T) {
	table := repeat.NewTable(limits())
	for _, sequence := range []int64{1, 2, 10, 8, 9} {
		table.Add(id(1, sequence), at(sequence), 0)
	}
	for sequence, want := range map[int64]repeat.Verdict{1: repeat.Below, 2: repeat.Below, 3: repeat.New, 7: repeat.New, 8: repeat.Known, 9: repeat.Known, 10: repeat.Known, 11: repeat.New} {
		require.Equal(t, want, verdictOf(table, id(1, sequence)), "%d", sequence)
	}
	table.Add(id(1, 2), at(1000), 0)
	require.Equal(t, repeat.Below, verdictOf(table, id(1, 2)))
	require.Equal(t, 3, table.Sends())
}

func TestASilentProducerIsForgotten(t *testing.T) {
	table := repeat.NewTable(limits())
	table.Add(id(1, 1), at(1), 1000)
	for n := int64(1); n <= 10; n++ {
		table.Add(id(2, n), at(n), 1000+6000*n)
		require.Equal(t, repeat.Known, verdictOf(table, id(1, 1)), "%d", n)
	}
	table.Add(id(2, 11), at(11), 1000+6000*11)
	require.Equal(t, repeat.New, verdictOf(table, id(1, 1)))
	require.Zero(t, table.Pushed())
}

func TestNoStepOfTheCalendarMakesTheTableForget(t *testing.T) {
	table := repeat.NewTable(limits())
	table.Add(id(1, 1), at(1), 1000)
	table.Add(id(2, 1), at(2), 1000+3_600_000)
	table.Add(id(2, 2), at(3), 1000)
	table.Add(id(2, 3), at(4), 1000+3_600_000)
	require.Equal(t, repeat.Known, verdictOf(table, id(1, 1)))
}

func TestWhoIsSilentLongestMakesRoom(t *testing.T) {
	table := repeat.NewTable(limits())
	table.Add(id(1, 1), at(1), 0)
	table.Add(id(2, 1), at(2), 0)
	table.Add(id(1, 2), at(3), 0)
	table.Add(id(3, 1), at(4), 0)
	require.Equal(t, repeat.New, verdictOf(table, id(2, 1)), "there is room for two producers")
	require.Equal(t, repeat.Known, verdictOf(table, id(1, 1)))
	require.Equal(t, int64(1), table.Pushed())
	for n := int64(2); n <= 4; n++ {
		table.Add(id(3, n), at(10+n), 0)
	}
	require.Equal(t, 5, table.Sends(), "there is room for five sends")
	table = repeat.NewTable(repeat.Limits{Window: 3, Producers: 9, Sends: 4, Forget: time.Minute})
	for _, p := range []byte{1, 2, 2, 2, 1} {
		table.Add(id(p, int64(table.Sends()+1)), at(1), 0)
	}
	require.Equal(t, 1, table.Producers())
	require.Equal(t, repeat.Known, verdictOf(table, id(1, 1)), "two has been silent longer")
}

// model is the table told plainly.
type model struct {
	limits        repeat.Limits
	sends         map[repeat.Producer]map[int64]repeat.Place
	floor, last   map[repeat.Producer]int64
	order         []repeat.Producer
	clock, latest int64
}

func (m *model) add(i repeat.Identity, place repeat.Place, storedAt int64) {
	if storedAt > m.latest {
		m.clock += min(storedAt-m.latest, m.limits.Forget.Milliseconds()/10)
	}
	m.latest = storedAt
	own := m.sends[i.Producer]
	if own == nil {
		own = map[int64]repeat.Place{}
		m.sends[i.Producer], m.floor[i.Producer] = own, 0
	}
	m.order = append(slices.DeleteFunc(m.order, func(p repeat.Producer) bool { return p == i.Producer }), i.Producer)
	m.last[i.Producer] = m.clock
	if _, known := own[i.Sequence]; !known && i.Sequence > m.floor[i.Producer] {
		own[i.Sequence] = place
	}
	if len(own) > m.limits.Window {
		oldest := slices.Min(slices.Collect(maps.Keys(own)))
		m.floor[i.Producer] = oldest
		delete(own, oldest)
	}
	m.forget()
}

func (m *model) forget() {
	for len(m.order) > 0 {
		total := 0
		for _, own := range m.sends {
			total += len(own)
		}
		oldest := m.order[0]
		if m.clock-m.last[oldest] <= m.limits.Forget.Milliseconds() && len(m.order) <= m.limits.Producers && total <= m.limits.Sends {
			return
		}
		m.order = m.order[1:]
		delete(m.sends, oldest)
	}
}

func (m *model) find(i repeat.Identity) (repeat.Place, repeat.Verdict) {
	own := m.sends[i.Producer]
	place, known := own[i.Sequence]
	switch {
	case known:
		return place, repeat.Known
	case own != nil && i.Sequence <= m.floor[i.Producer]:
		return place, repeat.Below
	}
	return place, repeat.New
}

func TestATableIsWhatAPlainModelIsAlsoAfterItWasSaved(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		l := repeat.Limits{Window: rapid.IntRange(1, 6).Draw(r, "window"), Producers: rapid.IntRange(1, 4).Draw(r, "producers"), Forget: time.Second}
		l.Sends = l.Window + rapid.IntRange(0, 10).Draw(r, "more sends")
		table := repeat.NewTable(l)
		m := &model{limits: l, sends: map[repeat.Producer]map[int64]repeat.Place{}, floor: map[repeat.Producer]int64{}, last: map[repeat.Producer]int64{}}
		now, log := int64(1_700_000_000_000), int64(0)
		for range rapid.IntRange(0, 60).Draw(r, "steps") {
			i := id(byte(rapid.IntRange(1, 6).Draw(r, "producer")), rapid.Int64Range(1, 20).Draw(r, "sequence"))
			now += rapid.SampledFrom([]int64{0, 1, 50, 200, 5000, -3000}).Draw(r, "time")
			log += 100
			table.Add(i, at(log), now)
			m.add(i, at(log), now)
			if rapid.IntRange(0, 5).Draw(r, "save") == 0 {
				s, err := repeat.Decode(table.Snapshot(message.LogOffset(log + 1)).Encode())
				require.NoError(r, err)
				require.Equal(r, message.LogOffset(log+1), s.Covered())
				table = s.Table(l)
			}
			for p := byte(1); p <= 6; p++ {
				for sequence := int64(1); sequence <= 20; sequence++ {
					place, verdict := table.Find(id(p, sequence))
					wantPlace, want := m.find(id(p, sequence))
					require.Equal(r, fmt.Sprint(want, wantPlace), fmt.Sprint(verdict, place), "%v", id(p, sequence))
				}
			}
		}
	})
}

func TestMemoryIsUsedAgain(t *testing.T) {
	table := repeat.NewTable(repeat.Limits{Window: 64, Producers: 2, Sends: 1000, Forget: time.Minute})
	sequence := int64(0)
	add := func() {
		sequence++
		table.Add(id(1, sequence), at(sequence), sequence)
	}
	for range 1000 {
		add()
	}
	require.Zero(t, testing.AllocsPerRun(1000, add))
}
