package controller

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// masterless is what monitoring shows of one controller.
func (n *node) masterless() string {
	for _, sample := range n.server.Measure().Snapshot().Samples {
		if sample.Metric == metricMasterless {
			return sample.String()
		}
	}
	return ""
}

const nobodyServes, allServe = "gantry_controller_groups_without_master[c] 1", "gantry_controller_groups_without_master[c] 0"

// The last broker in sync dies, and the copies that live may not take its place: the group keeps its dead master.
func TestADeadMasterThatNobodyReplacesIsShownByTheControllerThatLeads(t *testing.T) {
	w := newWorld(t, 3, Options{})
	b, copy := w.broker(1), w.broker(2)
	b.join()
	stop := b.beating(0, 100)
	copy.join()
	w.await(5*time.Second, "the first election", func() bool { return w.group().Master == 1 })
	copy.beating(0, 0)
	w.wait(2 * w.leader().server.options.BrokerTimeout)
	require.Equal(t, allServe, w.leader().masterless())
	stop()
	w.await(5*time.Second, "the alarm", func() bool { return w.leader().masterless() == nobodyServes })
	require.EqualValues(t, 1, w.group().Master, "nobody else may be elected")
	w.wait(time.Minute)
	for _, n := range w.nodes {
		want := allServe // a follower hears no brokers
		if n == w.leader() {
			want = nobodyServes
		}
		require.Equal(t, want, n.masterless())
	}
	b.beating(1, 100)
	w.await(2*time.Second, "the end of the alarm", func() bool { return w.leader().masterless() == allServe })
}

// Who begins to lead has heard nobody, and a master that lives is no alarm.
func TestAControllerThatHasJustBegunToLeadGivesNoAlarm(t *testing.T) {
	w := newWorld(t, 3, Options{})
	trio(t, w)
	old := w.leader()
	w.do(old.env, old.server.Close)
	for range 40 {
		w.wait(50 * time.Millisecond)
		require.False(t, slices.ContainsFunc(w.nodes, func(n *node) bool { return n.masterless() == nobodyServes }))
	}
}
