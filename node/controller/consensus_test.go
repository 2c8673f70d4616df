package controller

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"go.etcd.io/raft/v3/raftpb"
	protobuf "google.golang.org/protobuf/proto"
)

// Raft draws its own timeouts from a generator that cannot be seeded. They are read by ticks of who does not lead, so there must be none: one seed
// gives one history.
func TestOneSeedGivesOneHistory(t *testing.T) {
	play := func(seed uint64) uint64 {
		w := newSeededWorld(t, seed, 3, Options{})
		for range 4 {
			w.leader().machine.Crash(sim.PowerLoss)
			w.wait(3 * time.Second)
			for i := range w.nodes {
				if !w.nodes[i].machine.Up() {
					require.NoError(t, w.boot(i))
				}
			}
		}
		return w.kernel.TraceHash()
	}
	require.Equal(t, play(7), play(7))
	require.NotEqual(t, play(7), play(8))
}

// The one tick of raft in the source is that of a leader.
func TestOnlyLeadersAreTicked(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	ticks := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if !strings.HasSuffix(file, "_test.go") {
			ticks += len(regexp.MustCompile(`\.Tick(Quiesced)?\(`).FindAll(text, -1))
		}
	}
	require.Equal(t, 1, ticks)
	text, err := os.ReadFile("timing.go")
	require.NoError(t, err)
	require.Regexp(t, `case c\.leads\(\) && c\.beatAt\.Reached\(now\):\n(\t\t[^\n]*\n)+\t\t_ = c\.do\(func\(\) error \{ c\.node\.Tick\(\)`, string(text))
}

// step hands a message of one controller to another, as if it had come over the network.
func (w *world) step(from, to int, m *raftpb.Message) {
	w.t.Helper()
	sender, receiver := voterID(from), voterID(to)
	m.From, m.To = &sender, &receiver
	body, err := protobuf.Marshal(m)
	require.NoError(w.t, err)
	c := w.nodes[to].server.consensus
	w.do(w.nodes[to].env, func() {
		err = c.receive(&proto.RaftMessage{Group: c.options.Group, From: c.options.Peers[from].ID, To: c.options.Self}, body)
	})
	require.NoError(w.t, err)
}

func requestOfVote(kind raftpb.MessageType, term uint64, context string) *raftpb.Message {
	index := uint64(1 << 40)
	return &raftpb.Message{Type: kind.Enum(), Term: &term, Index: &index, LogTerm: &term, Context: []byte(context)}
}

func TestWhoHearsALeaderVotesForNobody(t *testing.T) {
	w := newWorld(t, 3, Options{})
	leader := indexOf(w, w.leader())
	voter, candidate := (leader+1)%3, (leader+2)%3
	w.wait(300 * time.Millisecond)
	term := w.nodes[voter].server.consensus.term()
	for _, kind := range []raftpb.MessageType{raftpb.MsgPreVote, raftpb.MsgVote} {
		w.step(candidate, voter, requestOfVote(kind, term+5, ""))
		w.step(candidate, leader, requestOfVote(kind, term+5, ""))
		require.Equal(t, term, w.nodes[voter].server.consensus.term())
		require.Equal(t, w.nodes[leader], w.leading())
	}
	// The leader itself may want another one.
	w.step(candidate, voter, requestOfVote(raftpb.MsgVote, term+5, campaignTransfer))
	require.Equal(t, term+5, w.nodes[voter].server.consensus.term())
}

func TestWhoHasJustStartedVotesForNobody(t *testing.T) {
	w := newWorld(t, 3, Options{})
	w.wait(400 * time.Millisecond)
	w.step(0, 1, requestOfVote(raftpb.MsgVote, 9, ""))
	require.Zero(t, w.nodes[1].server.consensus.term(), "it may have heard of a leader just before it died")
}

// Others hear the leader, so they elect nobody, and it hears none of them.
func TestALeaderThatHearsNobodyStepsDown(t *testing.T) {
	w := newWorld(t, 3, Options{})
	old := w.leader()
	for _, n := range w.nodes {
		if n != old {
			w.kernel.Network().Block(n.machine, old.machine)
		}
	}
	w.await(4*time.Second, "another leader", func() bool { n := w.leading(); return n != nil && n != old })
}

func TestALeaderThatStopsInOrderHandsOver(t *testing.T) {
	w := newWorld(t, 3, Options{})
	old := w.leader()
	w.wait(300 * time.Millisecond)
	began := w.kernel.Now()
	w.do(old.env, old.server.Close)
	old.machine.Crash(sim.KillProcess)
	w.leader()
	require.Less(t, w.kernel.Now().Sub(began), 400*time.Millisecond, "sooner than silence is noticed")
}

func TestAControllerWhoseDiskFailsPromisesNothingMore(t *testing.T) {
	w := newWorld(t, 3, Options{})
	b := w.broker(1)
	leader := w.leader()
	sick := sim.DefaultDisk()
	sick.SyncError = 1
	leader.machine.Disk().SetOptions(sick)
	response := b.askAt(leader, proto.ReqControllerApplyBrokerID, &proto.ApplyBrokerID{ClusterName: "c", BrokerName: "broker-a", BrokerID: 1, CheckCode: "x"}, nil)
	require.EqualValues(t, proto.RespControllerNotLeader, response.Code)
	require.ErrorIs(t, leader.server.Failed(), env.ErrIO)
	require.Contains(t, leader.server.NotReady(), "the controller has stopped: controller/raft.log: ")
	require.Equal(t, "stopped", leader.server.Status().State)
	leader.machine.Disk().SetOptions(sim.DefaultDisk())
	w.await(4*time.Second, "another leader", func() bool { n := w.leading(); return n != nil && n != leader })
	response = b.askAt(leader, proto.ReqControllerGetNextBrokerID, &proto.GetNextBrokerID{ClusterName: "c", BrokerName: "broker-a"}, nil)
	require.Contains(t, response.Remark, errStopped.Error())
	leader.machine.Crash(sim.KillProcess)
	require.NoError(t, w.boot(indexOf(w, leader)))
	require.NoError(t, leader.server.Failed())
}

func TestAControllerThatWasAwayForLongGetsTheState(t *testing.T) {
	w := newWorld(t, 3, Options{CompactAt: 2000})
	leader := w.leader()
	away := (indexOf(w, leader) + 1) % 3
	w.nodes[away].machine.Crash(sim.PowerLoss)
	b := w.broker(1)
	b.join()
	for b.incarnation = 2; b.incarnation < 30; b.incarnation++ {
		b.register(true, 0, 0)
	}
	require.Positive(t, w.leader().server.consensus.journal.base(), "the log was compacted")
	require.NoError(t, w.boot(away))
	w.await(3*time.Second, "a snapshot", func() bool { return w.nodes[away].server.Status().Snapshots > 0 })
	w.wait(300 * time.Millisecond)
	require.Equal(t, string(w.leader().server.state.marshal()), string(w.nodes[away].server.state.marshal()))
}

// A controller that has an empty disk, under an id that had none, is told more than it can have: it stops, because it has forgotten its votes.
func TestAControllerThatHasLostItsDiskStops(t *testing.T) {
	w := newWorld(t, 3, Options{})
	leader := indexOf(w, w.leader())
	lost := (leader + 1) % 3
	w.wait(300 * time.Millisecond)
	commit, term := uint64(1<<40), w.nodes[lost].server.consensus.term()
	sender, receiver := voterID(leader), voterID(lost)
	body, err := protobuf.Marshal(&raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), From: &sender, To: &receiver, Term: &term, Commit: &commit})
	require.NoError(t, err)
	c := w.nodes[lost].server.consensus
	w.do(w.nodes[lost].env, func() {
		err = c.receive(&proto.RaftMessage{Group: c.options.Group, From: c.options.Peers[leader].ID, To: c.options.Self}, body)
	})
	require.ErrorIs(t, err, errStopped)
	require.ErrorIs(t, w.nodes[lost].server.Failed(), errStopped)
}

// The leader believes that a controller has what it acknowledged with the disk before. It does so until it leads no more, so to start only the one again is in vain.
func TestAControllerWithAnEmptyDiskSaysWhatToDoAndThatHelps(t *testing.T) {
	w := newWorld(t, 3, Options{})
	w.broker(1).join()
	leader := w.leader()
	number := (indexOf(w, leader) + 1) % 3
	lost := w.nodes[number]
	w.wait(300 * time.Millisecond)
	lost.machine.Crash(sim.PowerLoss)
	lost.machine.ReplaceDisk()
	for range 2 {
		require.NoError(t, w.boot(number))
		w.await(time.Second, "the leader's next message", func() bool { return lost.server.Failed() != nil })
		require.ErrorIs(t, lost.server.Failed(), errStopped)
		require.Regexp(t, `^the controller has stopped: its log is empty or shorter than what it acknowledged, it ends with entry 0: `+
			`restart the controller that leads \(getControllerMetaData tells which\), then this one: raft: tocommit`, lost.server.NotReady())
		lost.machine.Crash(sim.KillProcess)
	}
	leader.machine.Crash(sim.KillProcess)
	require.NoError(t, w.boot(indexOf(w, leader)))
	w.leader()
	require.NoError(t, w.boot(number))
	w.wait(2 * time.Second)
	require.NoError(t, lost.server.Failed())
	require.Equal(t, string(w.leader().server.state.marshal()), string(lost.server.state.marshal()))
	require.NotEmpty(t, lost.server.state.groups)
}

// Leases are only safe if all wait for the same time.
func TestAControllerWithAnotherElectionTimeoutIsRefused(t *testing.T) {
	w := newWorld(t, 3, Options{})
	leader := indexOf(w, w.leader())
	other := (leader + 1) % 3
	w.wait(300 * time.Millisecond)
	term := w.nodes[other].server.consensus.term()
	sender, receiver := voterID(leader), voterID(other)
	body, err := protobuf.Marshal(&raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), From: &sender, To: &receiver, Term: &term})
	require.NoError(t, err)
	c := w.nodes[other].server.consensus
	for election, says := range map[time.Duration]string{c.options.Election: "", 0: "", time.Hour: "controllerElectionTimeout is 1h0m0s at n"} {
		w.do(w.nodes[other].env, func() {
			err = c.receive(&proto.RaftMessage{Group: c.options.Group, From: c.options.Peers[leader].ID, To: c.options.Self, Election: int64(election)}, body)
		})
		if says == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, says)
	}
}

func TestTwoControllersDoNotShareADirectory(t *testing.T) {
	w := newWorld(t, 1, Options{})
	n := w.nodes[0]
	second, err := New(w.nodes[0].machine.Node("second", "."), n.server.options)
	require.NoError(t, err)
	w.do(n.env, func() { err = second.Start() })
	require.ErrorIs(t, err, ErrInUse)
}

func TestWhatOptionsCannotBe(t *testing.T) {
	w := newQuietWorld(t, 1, 3, Options{})
	good := w.options
	good.Self = "n0"
	for want, change := range map[string]func(o *Options){
		"Peers (controllerDLegerPeers): there are 0":            func(o *Options) { o.Peers = nil },
		"n1 is there twice":                                     func(o *Options) { o.Peers = append(o.Peers, Peer{"n1", "x:1"}) },
		`n3: address "x" has no port`:                           func(o *Options) { o.Peers = append(o.Peers, Peer{"n3", "x"}) },
		`Self (controllerDLegerSelfId): "n9" is none of`:        func(o *Options) { o.Self = "n9" },
		"Election: 100ms is less than three times Heartbeat":    func(o *Options) { o.Election = 100 * time.Millisecond },
		"BrokerTimeout: 1ms is not between 300ms and 1m0s":      func(o *Options) { o.BrokerTimeout = time.Millisecond },
		`Directory: "../x": name a directory below the node's`:  func(o *Options) { o.Directory = "../x" },
		"authorizationEnabled: it needs authenticationEnabled=": func(o *Options) { o.Access.Authorization = true },
	} {
		o := good
		change(&o)
		_, err := o.Validate()
		require.ErrorIs(t, err, ErrOption)
		require.ErrorContains(t, err, want)
	}
	peers, err := ParsePeers(" n1-b:2 ; n0-a-b:1;")
	require.NoError(t, err)
	require.Equal(t, []Peer{{"n1", "b:2"}, {"n0", "a-b:1"}}, peers)
	_, err = ParsePeers("n0")
	require.ErrorContains(t, err, `"n0": write id-host:port`)
	for text, says := range map[string]string{
		"n0-a:1,n1-b:2":  `n0: address "a:1,n1-b:2": write host:port, with ; between controllers`,
		"n0-a:1;n1-a:1":  "n0 and n1 have the same address, a:1",
		"n0-a:0":         `n0: address "a:0": the others must know the port`,
		"n0-a:x":         `n0: address "a:x": the port must be a number`,
		"n0-a:1;n0-b:2":  "n0 is there twice",
		"n0-a:1 n1-b:22": "write host:port, with ; between controllers",
	} {
		_, err = ParsePeers(text)
		require.ErrorContains(t, err, says, text)
	}
}

// FuzzMessages: whatever another controller sends is refused or taken, and nothing panics.
func FuzzMessages(f *testing.F) {
	for _, m := range []*raftpb.Message{
		requestOfVote(raftpb.MsgVote, 3, ""), requestOfVote(raftpb.MsgPreVote, 3, campaignTransfer), requestOfVote(raftpb.MsgAppResp, 2, ""),
		{Type: raftpb.MsgApp.Enum(), Term: new(uint64(2)), Index: new(uint64(0)), LogTerm: new(uint64(0)), Entries: []*raftpb.Entry{entry(1, 1, "x")}, Commit: new(uint64(1))},
		{Type: raftpb.MsgHeartbeat.Enum(), Term: new(uint64(2)), Commit: new(uint64(9))},
		{Type: raftpb.MsgSnap.Enum(), Term: new(uint64(2)), Snapshot: &raftpb.Snapshot{Data: newState().marshal()}},
		{Type: raftpb.MsgSnap.Enum(), Term: new(uint64(2)), Snapshot: &raftpb.Snapshot{Data: newState().marshal(),
			Metadata: &raftpb.SnapshotMetadata{Index: new(uint64(5)), Term: new(uint64(1))}}},
		{Type: raftpb.MsgSnap.Enum(), Term: new(uint64(2)), Snapshot: &raftpb.Snapshot{Data: newState().marshal(),
			Metadata: &raftpb.SnapshotMetadata{Index: new(uint64(5)), Term: new(uint64(1)), ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}}}}},
	} {
		body, err := protobuf.Marshal(m)
		require.NoError(f, err)
		f.Add(body, int64(1), int64(1))
	}
	f.Fuzz(func(t *testing.T, body []byte, stamp, echo int64) {
		w := newWorld(t, 3, Options{})
		m := new(raftpb.Message)
		if protobuf.Unmarshal(body, m) != nil {
			return
		}
		sender, receiver := voterID(1), voterID(0)
		m.From, m.To = &sender, &receiver
		body, err := protobuf.Marshal(m)
		require.NoError(t, err)
		c := w.nodes[0].server.consensus
		w.do(w.nodes[0].env, func() {
			err = c.receive(&proto.RaftMessage{Group: c.options.Group, From: "n1", To: "n0", SentAt: stamp, Heard: echo}, body)
		})
		w.wait(50 * time.Millisecond)
		if err == nil || !errors.Is(err, errStopped) {
			_ = w.nodes[0].server.Status()
		}
	})
}
