package chaos_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/stretchr/testify/require"
)

// What measures must itself be right. These need neither root nor namespaces.

// at makes the acknowledgement of a send, in milliseconds.
func at(began, ended int) acknowledgement {
	return acknowledgement{time.Duration(began) * time.Millisecond, time.Duration(ended) * time.Millisecond}
}

func TestAFailOverEndsWithASendThatBeganBehindTheFault(t *testing.T) {
	c := &clients{acks: []acknowledgement{at(1, 2), at(8, 12), at(9, 30), at(20, 31), at(25, 32)}}
	require.Equal(t, 21*time.Millisecond, c.since(10*time.Millisecond), "those that began before may have been carried out before")
	require.Zero(t, c.since(26*time.Millisecond), "nobody has been served since")
}

func TestTheLongestPauseBeginsWithTheFaultAtTheEarliest(t *testing.T) {
	c := &clients{acks: []acknowledgement{at(1, 2), at(80, 90), at(91, 100), at(101, 140)}}
	require.Equal(t, 40*time.Millisecond, c.longestPause(60*time.Millisecond))
	require.Equal(t, 60*time.Millisecond, c.longestPause(30*time.Millisecond))
}

// acknowledged is a send with an answer.
func acknowledged(hash linearizability.Hash, offset int64) linearizability.Operation {
	return linearizability.Operation{Queue: "q", Kind: linearizability.KindSend, Outcome: linearizability.OutcomeDone, Offset: offset, Hash: hash, Call: offset, Return: offset + 1}
}

func TestAMessageThatWasAcknowledgedAndIsGoneIsCountedAndRefused(t *testing.T) {
	history := linearizability.History{acknowledged(7, 0), acknowledged(8, 1)}
	j := &judge{times: map[linearizability.Hash]int{7: 1}}
	require.Equal(t, 1, j.lost(history))
	log := linearizability.Log{Entries: []linearizability.Entry{{Offset: 0, Hash: 7}}}
	require.ErrorContains(t, oracle.History(history, map[string]linearizability.Log{"q": log}), "the final log ends at 1")
	log.Entries = append(log.Entries, linearizability.Entry{Offset: 1, Hash: 8})
	require.NoError(t, oracle.History(history, map[string]linearizability.Log{"q": log}))
}

func TestARowHasTheMedianAndTheWorst(t *testing.T) {
	f := &figures{}
	for _, millis := range []time.Duration{30, 10, 20} {
		f.add(outcome{fault: "f", copies: 2, failOver: millis * time.Millisecond, pause: millis * time.Millisecond, lost: 1}, t.Output())
	}
	require.Len(t, f.rows, 1)
	require.Equal(t, []int64{20, 30, 30, 3}, []int64{f.rows[0].Median, f.rows[0].Worst, f.rows[0].Pause, int64(f.rows[0].Lost)})
	f.add(outcome{fault: "f", copies: 2, failOver: 26 * time.Millisecond}, t.Output())
	require.EqualValues(t, 23, f.rows[0].Median, "of two in the middle it is between")
}

func TestEveryFaultOfTheWholePlanComesBetweenTwoKills(t *testing.T) {
	kills := 0
	for _, p := range plans("whole") {
		require.Len(t, p.faults, killsWhole+othersWhole*len(otherFaults))
		for i, f := range p.faults {
			if f.name == killMaster.name {
				kills++
			} else {
				require.Equal(t, killMaster.name, p.faults[i-1].name)
			}
		}
	}
	require.GreaterOrEqual(t, kills, 30)
}

func TestAMasterThatIsSilentMustBeFollowedBeforeItSpeaksAgain(t *testing.T) {
	silent := 0
	for _, f := range otherFaults {
		if f.lasts == lastsLong && f.bound > 0 {
			silent++
			require.Less(t, f.bound, f.lasts, f.name)
		}
	}
	require.Equal(t, 4, silent, "SIGSTOP, and three ways to part it")
	slow := outcome{failOver: silentMost + time.Millisecond}
	require.ErrorContains(t, fault{bound: silentMost}.tooSlow(slow), "that is more than 4s")
	require.NoError(t, fault{}.tooSlow(slow), "no fail-over is due")

	// Nobody ever serves: what mends the fault does not hide that.
	mended := false
	f := fault{lasts: time.Millisecond, bound: time.Millisecond}
	err := outlastWithin(&clients{began: time.Now()}, f, 0, 20*time.Millisecond, func() error { mended = true; return nil })
	require.ErrorContains(t, err, "no send is acknowledged")
	require.True(t, mended)
}

func TestAMessageThatIsLostOrThereTwiceFailsTheRun(t *testing.T) {
	require.NoError(t, outcome{failed: 3}.broken())
	require.ErrorContains(t, outcome{lost: 2}.broken(), "2 messages were acknowledged and are not there")
	require.ErrorContains(t, outcome{twice: 1}.broken(), "1 messages are there more than once")
}
