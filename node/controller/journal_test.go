package controller

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/stretchr/testify/require"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

var ownHead = head{Version: headVersion, Group: "g", Self: "n0", Peers: []string{"n0", "n1", "n2"}}

// disk is a machine on which a journal is tried.
type diskWorld struct {
	t       *testing.T
	kernel  *sim.Kernel
	machine *sim.Machine
}

func newDiskWorld(t *testing.T, seed uint64) *diskWorld {
	t.Helper()
	k := sim.New(seed, sim.Options{StepsMax: 1_000_000})
	t.Cleanup(k.Close)
	return &diskWorld{t, k, k.AddMachine("m", netip.MustParseAddr("10.0.0.1"))}
}

// run boots the machine and runs fn on it, until it ends or the machine crashes.
func (w *diskWorld) run(fn func(e env.Env)) (ended bool) {
	w.t.Helper()
	e := w.machine.Boot("m")
	e.Tasks.Go("test", func() {
		fn(e)
		ended = true
	})
	w.kernel.Run(w.kernel.Now().Add(time.Minute), func() bool { return ended || !w.machine.Up() })
	if f := w.kernel.Failure(); f != nil {
		require.NoError(w.t, f, f.Stack)
	}
	return ended
}

func entry(index, term uint64, text string) *raftpb.Entry {
	return &raftpb.Entry{Index: &index, Term: &term, Data: []byte(text)}
}

func vote(term, who uint64) *raftpb.HardState { return &raftpb.HardState{Term: &term, Vote: &who} }

// describe tells all that a journal remembers.
func (m *memory) describe() string {
	text := fmt.Sprintf("term %d vote %d, snapshot %d/%d %q,", m.state.GetTerm(), m.state.GetVote(), m.snapshot.GetMetadata().GetTerm(), m.base(), m.snapshot.GetData())
	for _, e := range m.entries {
		text += fmt.Sprintf(" %d/%d %q", e.GetTerm(), e.GetIndex(), e.GetData())
	}
	return text
}

// deeds are what is done to a journal in the tests of crashes: each is one call.
var deeds = []func(j *journal) error{
	func(j *journal) error { return j.append(vote(1, 2), nil) },
	func(j *journal) error {
		return j.append(nil, []*raftpb.Entry{entry(1, 1, "one"), entry(2, 1, "two")})
	},
	func(j *journal) error {
		return j.append(vote(2, 1), []*raftpb.Entry{entry(2, 2, string(make([]byte, 1500))), entry(3, 2, "three")})
	},
	func(j *journal) error { return j.compact(2, []byte("state at two")) },
	func(j *journal) error { return j.append(nil, []*raftpb.Entry{entry(4, 2, "four")}) },
	func(j *journal) error {
		index, term := uint64(9), uint64(3)
		s := raftpb.EnsureSnapshot(nil)
		s.Data, s.Metadata.Index, s.Metadata.Term, s.Metadata.ConfState = []byte("state at nine"), &index, &term, j.voters()
		return j.install(vote(3, 0), s)
	},
	func(j *journal) error { return j.append(nil, []*raftpb.Entry{entry(10, 3, "ten")}) },
}

// memories are what a journal remembers after none of the deeds, after the first, and so on.
func memories(t *testing.T) []string {
	t.Helper()
	w := newDiskWorld(t, 1)
	var all []string
	require.True(t, w.run(func(e env.Env) {
		j, err := openJournal(e, "controller", ownHead)
		require.NoError(t, err)
		all = append(all, j.describe())
		for _, deed := range deeds {
			require.NoError(t, deed(j))
			all = append(all, j.describe())
		}
		require.NoError(t, j.close())
	}))
	require.Len(t, all, len(deeds)+1)
	return all
}

func TestAJournalRemembersWhatWasDone(t *testing.T) {
	require.Equal(t, `term 3 vote 0, snapshot 3/9 "state at nine", 3/10 "ten"`, memories(t)[len(deeds)])
}

// Whenever the power goes, what was done is remembered, and what was under way wholly or not at all.
func TestAJournalSurvivesACrashAtEveryStep(t *testing.T) {
	want := memories(t)
	for step := 0; ; step++ {
		over := false
		for seed := uint64(1); seed <= 4; seed++ {
			over = crashJournal(t, seed, step, want)
		}
		if over {
			require.Greater(t, step, 25, "the crashes have reached all steps")
			return
		}
	}
}

// crashJournal takes the power after so many steps of the kernel. It reports whether all was done before.
func crashJournal(t *testing.T, seed uint64, steps int, want []string) bool {
	t.Helper()
	w := newDiskWorld(t, seed)
	done, over := -1, false
	e := w.machine.Boot("m")
	e.Tasks.Go("work", func() {
		j, err := openJournal(e, "controller", ownHead)
		require.NoError(t, err)
		for done = 0; done < len(deeds); done++ {
			require.NoError(t, deeds[done](j))
		}
		over = true
	})
	for taken := 0; taken < steps && !over; taken++ {
		w.kernel.Run(w.kernel.Now().Add(time.Minute), oneStep())
	}
	w.machine.Crash(sim.PowerLoss)
	// Twice, because the first start may crash as well.
	for range 2 {
		require.True(t, w.run(func(e env.Env) {
			j, err := openJournal(e, "controller", ownHead)
			require.NoError(t, err)
			possible := want[:1]
			if done >= 0 {
				possible = want[done:min(done+2, len(want))]
			}
			require.Contains(t, possible, j.describe(), "crash after %d steps, %d deeds", steps, done)
			done = indexOfText(want, j.describe())
		}))
		w.machine.Crash(sim.PowerLoss)
	}
	return over
}

func indexOfText(all []string, text string) int {
	for i := range all {
		if all[i] == text {
			return i
		}
	}
	return -1
}

// oneStep lets the world take one step.
func oneStep() func() bool {
	asked := 0
	return func() bool {
		asked++
		return asked > 1
	}
}

// A disk that fails at the k-th call makes the journal fail, and what it remembers after that is what was done before, or that and what was
// under way.
func TestAJournalThatFailsPromisesNothingMore(t *testing.T) {
	want := memories(t)
	for seed := uint64(1); seed <= 200; seed++ {
		w := newDiskWorld(t, seed)
		done := -1
		sick := sim.DefaultDisk()
		sick.SyncError, sick.WriteError = 0.1, 0.05
		w.machine.Disk().SetOptions(sick)
		require.True(t, w.run(func(e env.Env) {
			j, err := openJournal(e, "controller", ownHead)
			for done = 0; err == nil && done < len(deeds); done++ {
				if err = deeds[done](j); err != nil {
					break
				}
			}
		}))
		w.machine.Disk().SetOptions(sim.DefaultDisk())
		w.machine.Crash(sim.CrashStyle(seed % 2))
		require.True(t, w.run(func(e env.Env) {
			j, err := openJournal(e, "controller", ownHead)
			require.NoError(t, err)
			require.Contains(t, want[done:min(done+2, len(want))], j.describe(), "seed %d, %d deeds", seed, done)
		}))
	}
}

func TestDamageOfWhatWasDurableIsRefused(t *testing.T) {
	w := newDiskWorld(t, 1)
	require.True(t, w.run(func(e env.Env) {
		j, err := openJournal(e, "controller", ownHead)
		require.NoError(t, err)
		require.NoError(t, deeds[0](j))
		require.NoError(t, deeds[1](j))
	}))
	w.machine.Crash(sim.KillProcess)
	content, _ := w.machine.Disk().Content("controller/raft.log")
	for at := range content {
		for _, flip := range []byte{0x01, 0x80, content[at]} {
			if flip == 0 {
				continue
			}
			damaged := append([]byte(nil), content...)
			damaged[at] ^= flip
			_, _, err := readJournal(damaged)
			require.ErrorIs(t, err, errDamaged, "byte %d", at)
		}
	}
	require.True(t, w.machine.Disk().Corrupt("controller/raft.log", 40, 1))
	require.True(t, w.run(func(e env.Env) {
		_, err := openJournal(e, "controller", ownHead)
		require.ErrorIs(t, err, errDamaged)
		require.ErrorContains(t, err, "controller/raft.log: ")
	}))
}

func TestTheJournalOfAnotherControllerIsRefused(t *testing.T) {
	w := newDiskWorld(t, 1)
	require.True(t, w.run(func(e env.Env) {
		_, err := openJournal(e, "controller", ownHead)
		require.NoError(t, err)
		for _, other := range []head{
			{Version: headVersion, Group: "g", Self: "n1", Peers: ownHead.Peers}, {Version: headVersion, Group: "other", Self: "n0", Peers: ownHead.Peers},
			{Version: headVersion, Group: "g", Self: "n0", Peers: []string{"n0", "n1"}},
		} {
			_, err := openJournal(e, "controller", other)
			require.ErrorContains(t, err, "controllerDLeger")
		}
	}))
}

func TestAJournalIsAStorageOfRaft(t *testing.T) {
	w := newDiskWorld(t, 1)
	require.True(t, w.run(func(e env.Env) {
		j, err := openJournal(e, "controller", ownHead)
		require.NoError(t, err)
		for _, deed := range deeds[:5] {
			require.NoError(t, deed(j))
		}
		first, _ := j.FirstIndex()
		last, _ := j.LastIndex()
		require.Equal(t, []uint64{3, 4}, []uint64{first, last})
		_, err = j.Entries(2, 4, 1000)
		require.ErrorIs(t, err, raft.ErrCompacted)
		_, err = j.Entries(3, 6, 1000)
		require.ErrorIs(t, err, raft.ErrUnavailable)
		entries, err := j.Entries(3, 5, 0)
		require.NoError(t, err)
		require.Len(t, entries, 1, "at least one")
		_, err = j.Term(1)
		require.ErrorIs(t, err, raft.ErrCompacted)
		_, err = j.Term(5)
		require.ErrorIs(t, err, raft.ErrUnavailable)
		term, err := j.Term(2)
		require.NoError(t, err)
		require.Equal(t, uint64(2), term)
		state, voters, err := j.InitialState()
		require.NoError(t, err)
		require.Equal(t, uint64(2), state.GetCommit(), "what is in a snapshot was agreed upon")
		require.Equal(t, []uint64{1, 2, 3}, voters.GetVoters())
	}))
}

// FuzzJournals: no file makes the reader panic, and what was read is contiguous.
func FuzzJournals(f *testing.F) {
	content := appendRecord(nil, recordHead, []byte(`{"v":1}`))
	state, err := proto.Marshal(vote(1, 2))
	require.NoError(f, err)
	one, err := proto.Marshal(entry(1, 1, "one"))
	require.NoError(f, err)
	file := appendFrame(nil, 0, appendRecord(appendRecord(content, recordState, state), recordEntry, one))
	f.Add(file, []byte("x"))
	f.Add(appendFrame(file, int64(len(file)), appendRecord(nil, recordEntry, one)), appendRecord(nil, recordEntry, one))
	f.Fuzz(func(t *testing.T, file, frame []byte) {
		for _, text := range [][]byte{file, appendFrame(nil, 0, frame), appendFrame(file[:len(file):len(file)], int64(len(file)), frame)} {
			m, end, err := readJournal(text)
			if err != nil {
				continue
			}
			require.LessOrEqual(t, end, int64(len(text)))
			for i, e := range m.entries {
				require.Equal(t, m.base()+1+uint64(i), e.GetIndex())
			}
		}
	})
}
