package controller

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/gantrymq/gantry/node/env"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// head says whose file it is. A controller refuses that of another one: to vote with the memory of another would be to vote twice.
type head struct {
	Version int      `json:"v"`
	Group   string   `json:"group"`
	Self    string   `json:"self"`
	Peers   []string `json:"peers"` // ids, sorted
}

const headVersion = 1

// check tells why a file is not one's own.
func (h *head) check(want *head) error {
	switch {
	case h.Version != headVersion:
		return fmt.Errorf("%w: file of version %d", errNewer, h.Version)
	case h.Group != want.Group || h.Self != want.Self:
		return fmt.Errorf("it belongs to the controller %s of %s, and this one is %s of %s: set controllerDLegerSelfId and controllerDLegerGroup back, or give each controller a controllerStorePath of its own",
			h.Self, h.Group, want.Self, want.Group)
	case !slices.Equal(h.Peers, want.Peers):
		return fmt.Errorf("it was made for the controllers %v, and now there are %v: the ids in controllerDLegerPeers cannot change, only addresses can", h.Peers, want.Peers)
	}
	return nil
}

// memory is what a log file says: the log itself, as far as it is not in the snapshot, and the vote.
//
// entries are contiguous and begin right behind the snapshot.
type memory struct {
	head     head
	state    *raftpb.HardState
	snapshot *raftpb.Snapshot
	entries  []*raftpb.Entry
}

// readJournal reads the content of a log file, and returns where what is whole ends. The error is errDamaged or errNewer. It is pure.
func readJournal(file []byte) (*memory, int64, error) {
	m := &memory{snapshot: raftpb.EnsureSnapshot(nil), state: &raftpb.HardState{}}
	first := true
	end, err := readFrames(file, func(frame []byte) error {
		return readRecords(frame, func(kind byte, content []byte) error {
			if first != (kind == recordHead) {
				return fmt.Errorf("%w: the first record of a file, and no other one, says whose it is", errDamaged)
			}
			first = false
			return m.take(kind, content)
		})
	})
	if err == nil && first {
		err = fmt.Errorf("%w: the file is empty", errDamaged)
	}
	return m, end, err
}

// take adds a record.
func (m *memory) take(kind byte, content []byte) error {
	switch kind {
	case recordHead:
		if err := json.Unmarshal(content, &m.head); err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		return nil
	case recordSnapshot:
		snapshot := new(raftpb.Snapshot)
		if err := proto.Unmarshal(content, snapshot); err != nil {
			return fmt.Errorf("%w: snapshot: %w", errDamaged, err)
		}
		m.snapshot, m.entries = raftpb.EnsureSnapshot(snapshot), nil
		return nil
	case recordState:
		m.state = new(raftpb.HardState)
		if err := proto.Unmarshal(content, m.state); err != nil {
			return fmt.Errorf("%w: vote: %w", errDamaged, err)
		}
		return nil
	case recordEntry:
		e := new(raftpb.Entry)
		if err := proto.Unmarshal(content, e); err != nil {
			return fmt.Errorf("%w: entry: %w", errDamaged, err)
		}
		return m.add(e)
	}
	return fmt.Errorf("%w: record of kind %d", errNewer, kind)
}

func (m *memory) base() uint64 { return m.snapshot.GetMetadata().GetIndex() }

func (m *memory) last() uint64 { return m.base() + uint64(len(m.entries)) }

// add puts an entry behind those below its index. What was at its index and behind it was never agreed upon.
func (m *memory) add(e *raftpb.Entry) error {
	index := e.GetIndex()
	if index <= m.base() || index > m.last()+1 {
		return fmt.Errorf("%w: entry %d does not follow: the snapshot ends with %d, the log with %d", errDamaged, index, m.base(), m.last())
	}
	m.entries = append(m.entries[:index-m.base()-1:index-m.base()-1], e)
	return nil
}

// journal keeps the log of the controllers on the disk, and all of it in memory. It is a raft.Storage. The calls that write wait; only one task
// makes them. After an error of one of them the journal must not be used: what is on the disk is in doubt.
type journal struct {
	memory
	env  env.Env
	dir  string
	file env.File
	end  int64 // where the next frame goes; all before it is durable
}

const journalName = "raft.log"

func (j *journal) path() string { return path.Join(j.dir, journalName) }

// openJournal reads the file, or begins one. It waits for the disk.
func openJournal(e env.Env, dir string, own head) (*journal, error) {
	j := &journal{env: e, dir: dir, memory: memory{head: own, snapshot: raftpb.EnsureSnapshot(nil), state: &raftpb.HardState{}}}
	content, err := readFile(e.Disk, j.path(), journalMax)
	switch {
	case errors.Is(err, env.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		m, _, err := readJournal(content)
		if err == nil {
			err = m.head.check(&own)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", j.path(), err)
		}
		j.memory = *m
	}
	// What was read may not all be durable: the process before this one may have died between a write and its sync, or after a sync that
	// failed. A new file is.
	return j, j.rewrite()
}

// journalMax is larger than a state and all that may come until it is compacted, in bytes.
const journalMax = 1 << 30

// rewrite puts a new file, which holds nothing superfluous, in place of the old one. It waits for the disk.
func (j *journal) rewrite() error {
	text, err := json.Marshal(j.head)
	if err != nil {
		return err
	}
	content := appendRecord(nil, recordHead, text)
	if content, err = appendMessage(content, recordSnapshot, j.snapshot); err == nil {
		content, err = appendChange(content, j.state, j.entries)
	}
	if err != nil {
		return err
	}
	frame := appendFrame(nil, 0, content)
	file, err := replaceFile(j.env.Disk, j.path(), frame)
	if err != nil {
		return err
	}
	if j.file != nil {
		// Nothing is read or written by it any more, and its name is gone.
		_ = j.file.Close()
	}
	j.file, j.end = file, int64(len(frame))
	return nil
}

// append makes a change durable, as one frame. state may be nil: no change. It waits for the disk.
func (j *journal) append(state *raftpb.HardState, entries []*raftpb.Entry) error {
	content, err := appendChange(nil, state, entries)
	if err != nil {
		return err
	}
	frame := appendFrame(nil, j.end, content)
	if err := j.file.WriteAt(frame, j.end); err != nil {
		return fmt.Errorf("%s: %w", j.path(), err)
	}
	if err := j.file.Sync(j.end, j.end+int64(len(frame))); err != nil {
		return fmt.Errorf("%s: %w", j.path(), err)
	}
	j.end += int64(len(frame))
	if state != nil {
		j.state = state
	}
	for _, e := range entries {
		if err := j.add(e); err != nil {
			return err
		}
	}
	return nil
}

// install puts a snapshot of the leader in place of everything. It waits for the disk.
func (j *journal) install(state *raftpb.HardState, snapshot *raftpb.Snapshot) error {
	if state != nil {
		j.state = state
	}
	j.snapshot, j.entries = snapshot, nil
	return j.rewrite()
}

// compact makes a snapshot of a state that has all up to an index, and drops the entries that are in it. A controller that is behind gets
// the snapshot: it is small. It waits for the disk.
func (j *journal) compact(index uint64, state []byte) error {
	term, err := j.Term(index)
	if err != nil {
		return err
	}
	snapshot := raftpb.EnsureSnapshot(nil)
	snapshot.Data = state
	snapshot.Metadata.Index, snapshot.Metadata.Term, snapshot.Metadata.ConfState = &index, &term, j.voters()
	j.entries = slices.Clone(j.entries[index-j.base():])
	j.snapshot = snapshot
	return j.rewrite()
}

// close releases the file. All that was appended is durable already.
func (j *journal) close() error {
	if j == nil || j.file == nil {
		return nil
	}
	return j.file.Close()
}

func appendChange(content []byte, state *raftpb.HardState, entries []*raftpb.Entry) ([]byte, error) {
	var err error
	if state != nil {
		content, err = appendMessage(content, recordState, state)
	}
	for _, e := range entries {
		if err == nil {
			content, err = appendMessage(content, recordEntry, e)
		}
	}
	return content, err
}

func appendMessage(content []byte, kind byte, message proto.Message) ([]byte, error) {
	text, err := marshalOptions.Marshal(message)
	return appendRecord(content, kind, text), err
}

// marshalOptions give the same bytes for the same message, whatever the build.
var marshalOptions = proto.MarshalOptions{Deterministic: true}

// voterID is the number of a peer, by its place among the sorted ids.
func voterID(place int) uint64 { return uint64(place) + 1 }

// voters are all controllers.
func (j *journal) voters() *raftpb.ConfState {
	c := raftpb.EnsureConfState(nil)
	for i := range j.head.Peers {
		c.Voters = append(c.Voters, voterID(i))
	}
	return c
}

// The methods below are those of raft.Storage. They do not wait.

// InitialState returns the vote and the controllers.
func (j *journal) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	state := proto.CloneOf(j.state)
	// What is in the snapshot was agreed upon, whether that was noted or not.
	commit := max(state.GetCommit(), j.base())
	state.Commit = &commit
	return state, j.voters(), nil
}

// Entries returns entries from lo to below hi, at least one, and at most so many bytes besides.
func (j *journal) Entries(lo, hi, maxSize uint64) ([]*raftpb.Entry, error) {
	switch {
	case lo <= j.base():
		return nil, raft.ErrCompacted
	case hi > j.last()+1 || lo >= hi:
		return nil, raft.ErrUnavailable
	}
	part := j.entries[lo-j.base()-1 : hi-j.base()-1]
	size := uint64(0)
	for i, e := range part {
		size += uint64(proto.Size(e))
		if i > 0 && size > maxSize {
			return slices.Clone(part[:i]), nil
		}
	}
	return slices.Clone(part), nil
}

// Term returns the term of an entry.
func (j *journal) Term(index uint64) (uint64, error) {
	switch {
	case index < j.base():
		return 0, raft.ErrCompacted
	case index > j.last():
		return 0, raft.ErrUnavailable
	case index == j.base():
		return j.snapshot.GetMetadata().GetTerm(), nil
	}
	return j.entries[index-j.base()-1].GetTerm(), nil
}

// LastIndex is that of the newest entry.
func (j *journal) LastIndex() (uint64, error) { return j.last(), nil }

// FirstIndex is that of the oldest entry that is not in the snapshot.
func (j *journal) FirstIndex() (uint64, error) { return j.base() + 1, nil }

// Snapshot returns the newest one.
func (j *journal) Snapshot() (*raftpb.Snapshot, error) { return proto.CloneOf(j.snapshot), nil }
