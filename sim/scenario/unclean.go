package scenario

import (
	"context"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/transport/proto"
)

var uncleanScenario = Scenario{
	Name:  "unclean-election",
	About: "all brokers that are in sync are lost, and an operator has another one elected, once: what is lost is the end of the log and nothing else",
	Marks: []string{
		"send acknowledged", "pull found messages", "commit acknowledged", "messages were lost", "a broker came back with more than the master has",
		"a consumer was sent back",
	},
	Costly: true,
	run:    runUnclean,
}

// unclean is the state of one run. Clients go on all the time.
type unclean struct {
	*failover
	asked int64 // when the operator wanted the election: what was answered before is the answer of brokers that are lost
}

func runUnclean(r *run) {
	u := &unclean{failover: &failover{kinds: []fault.Kind{
		fault.ResetConnection, fault.ClogLink, fault.PauseClient, fault.SlowDisk, fault.StuckSync, fault.KillNameServer, fault.BadLinks,
	}}}
	u.unclean, u.operate = true, func(*failover) { u.lose() }
	runElected(r, u.failover)
}

// lose lets one broker fall behind, loses all others, and has the one that is left elected.
func (u *unclean) lose() {
	random := u.kernel.Stream("unclean election")
	pause := func(least, most time.Duration) {
		u.observer.Tasks.Sleep(time.Duration(random.Between(int64(least), int64(most))))
	}
	pause(time.Second, u.work.for_/2)
	u.injector.Heal()
	if !u.await(time.Minute, u.injector.Over) {
		u.failLiveness("everything healed, and faults do not end")
		return
	}
	left := u.leaveBehind(random)
	if left == nil {
		return
	}
	pause(0, 2*time.Second)
	for _, n := range u.cluster.Brokers {
		n.Crash(sim.PowerLoss)
		if n != left && random.Chance(0.3) {
			u.kernel.Note("fault %s gets an empty disk", n)
			n.Machine.ReplaceDisk()
		}
	}
	u.mayMove, u.verdict = true, u.judgeLost
	left.Start()
	if u.await(3*time.Second, func() bool { return u.serving() != nil }) {
		u.failSafety("%s serves and may lack messages, and nobody has asked for that", left)
		return
	}
	u.asked = int64(u.observer.Clock.Now())
	accepted := false
	ask := func() bool {
		accepted = accepted || u.electUnclean()
		return accepted
	}
	if !u.await(masterWithin, ask) || !u.await(masterWithin, func() bool { return u.serving() == left }) {
		u.failLiveness("%s is not elected though the operator wants it: %s", left, u.describe())
		return
	}
	pause(0, 3*time.Second)
	end := logEnd(left.Machine.Disk())
	for _, n := range u.cluster.Brokers {
		if n != left && logEnd(n.Machine.Disk()) > end {
			u.kernel.Mark("a broker came back with more than the master has")
		}
	}
	u.startAll()
}

// leaveBehind stops a broker that is not master until the others go on without it.
func (u *unclean) leaveBehind(random *sim.Stream) *cluster.Node {
	if !u.await(10*time.Second, u.whole) {
		u.failLiveness("nothing is broken, and not all brokers are in sync: %s", u.describe())
		return nil
	}
	master := u.serving()
	copies := slices.DeleteFunc(slices.Clone(u.cluster.Brokers), func(n *cluster.Node) bool { return n == master })
	left := copies[random.IntN(len(copies))]
	id := left.MemberID()
	u.kernel.Note("fault %s is left behind", left)
	left.Crash(sim.KillProcess)
	if !u.await(10*time.Second, func() bool { return u.outOfSync(id) }) {
		u.failLiveness("a copy is gone, and stays in the in-sync set: %s", u.describe())
		return nil
	}
	return left
}

// outOfSync reports whether a master serves without a broker in its in-sync set.
func (u *unclean) outOfSync(id int64) bool {
	n := u.serving()
	if n == nil || n.Broker().Leader() == nil {
		return false
	}
	return !u.anyInSync([]int64{id})
}

// electUnclean asks for the election, and reports whether it was accepted.
func (u *unclean) electUnclean() bool {
	admin, err := client.NewAdmin(u.observer, client.WithNameServers(u.cluster.NameServerAddresses()...), client.WithRequestTimeout(time.Second))
	if err != nil {
		u.failSafety("the operator's admin could not be made: %v", err)
		return false
	}
	_, err = admin.ElectMaster(context.Background(), u.cluster.Peers()[0].Address,
		client.Election{Cluster: "DefaultCluster", BrokerName: u.cluster.Groups[0], BrokerID: proto.NoBroker, Unclean: true})
	if closed := admin.Close(context.Background()); closed != nil {
		u.failSafety("the operator's admin does not close: %v", closed)
	}
	u.kernel.Note("fault an unclean election is asked for: %v", err)
	return err == nil
}

// judgeLost judges what happened after the loss as everything is judged, over the part of the log that was left. Of each queue the end may be lost, but no
// message with a later one still there.
func (u *unclean) judgeLost() {
	gone := map[linearizability.Hash]bool{}
	var after linearizability.History
	lost := map[string]int64{} // by queue: the first offset that is lost
	for _, o := range u.recorder.History() {
		switch old := o.Outcome == linearizability.OutcomeDone && o.Return <= u.asked; {
		case o.Kind == linearizability.KindCommitOffset || o.Kind == linearizability.KindFetchOffset:
			// Offsets that were committed may be lost as well.
		case !old:
			after = append(after, o)
		case o.Kind != linearizability.KindSend:
		case u.has(o):
			after = append(after, o)
		default:
			if first, any := lost[o.Queue]; !any || o.Offset < first {
				lost[o.Queue] = o.Offset
			}
			if o.Repeats {
				// A try before the one that was acknowledged may be there still.
				o.Outcome = linearizability.OutcomeUnknown
				after = append(after, o)
				continue
			}
			gone[o.Hash] = true
		}
	}
	if len(lost) > 0 {
		u.kernel.Mark("messages were lost")
	}
	for _, o := range after {
		if first, any := lost[o.Queue]; any && o.Kind == linearizability.KindSend && o.Outcome == linearizability.OutcomeDone && o.Return <= u.asked && o.Offset > first {
			u.failSafety("%s has message %d, and %d in front of it is lost", o.Queue, o.Offset, first)
			return
		}
	}
	// order does not matter: any of them is a failure
	for queue, log := range u.Logs {
		for _, entry := range log.Entries {
			if gone[entry.Hash] {
				u.failSafety("%s has at %d a message that had another place before", queue, entry.Offset)
				return
			}
		}
	}
	u.judgeHistory(after)
}

// has reports whether the final log has what was sent, where it was said to be.
func (u *unclean) has(o linearizability.Operation) bool {
	entries := u.Logs[o.Queue].Entries
	i, found := slices.BinarySearchFunc(entries, o.Offset, func(e linearizability.Entry, offset int64) int { return int(e.Offset - offset) })
	return found && entries[i].Hash == o.Hash
}
