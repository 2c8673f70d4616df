package store

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// Names below the store's directory.
const (
	logDir         = "commitlog"
	lockPath       = "lock"
	crashMarker    = "abort"
	checkpointPath = "checkpoint"
)

// Store is an open message store. It is used with the node's baton held.
type Store struct {
	env     env.Env
	options Options
	lock    env.Lock
	log     *segment.Row

	logFiles, queueFiles *segment.Handles

	// The watermarks: flushed <= written <= appended, and confirmed is
	// flushed with SyncFlush, written with AsyncFlush, but not more than allowed.
	appended message.LogOffset // records before it have their places
	written  message.LogOffset // records before it are in the operating system
	flushed  message.LogOffset // records before it are on the medium

	batch          logBatch            // appended and not yet given to the writer
	spare          logBatch            // memory of the last batch
	waiting        fifo[waitingAppend] // appends that are not answered, in log order
	arrivals       fifo[arrival]       // records that consumers do not see yet, in log order
	writing        bool                // a task writes the log
	writingSince   env.Instant         // when its current write began
	unflushed      env.Cond            // written > flushed, or the store closes
	changed        env.Cond            // flushed moved, an append was answered, or the store closes
	propertyBuffer []byte              // reused by encode
	places         []Place             // reused by answerOne

	queues map[QueueKey]*queueLog
	order  []*queueLog // the queues in the order they were made
	dirty  []*queueLog // with entries that are not in their files

	fence   error // why the store stopped taking appends, for good
	full    error // why it refuses appends until space returns
	crowded error // the same, by how full the disk is
	clogged error // the same, because queue entries cannot be written
	closing bool  // no appends are taken any more
	givenUp bool  // nor are any, as copies are not waited for any more
	drained bool  // and nothing is left to be flushed
	// released says that the files are closed.
	released bool
	tasks    *env.Group
	stop     env.Cond
	saving   *env.Semaphore    // of the task that writes or removes queue files, or writes the checkpoint
	saved    message.LogOffset // queue entries of records before it are durable
	// readFrom is durable: a restart reads the log from there on, or from later. Unlike saved it was never only read from a file that a
	// crash may have left in the cache.
	readFrom message.LogOffset
	marked   index.Mark // of the key index, in the last checkpoint
	// checkpointed is what the checkpoint file says. wordsInDoubt: its words of Java may be of another state on the medium.
	checkpointed checkpointState
	sequence     int64 // of the last slot that was written, or tried
	wordsInDoubt bool

	dropped droppedTopics // removed topics of which the log still has records

	followers []*Follower
	feeds     []*Feed
	// With Options.Replicated copies have the log up to allowed, and confirmed is as much of that as whole records: allowed may be within one.
	allowed, confirmed message.LogOffset
	gaps               gap // bridges that a slave has taken
	keys               keyIndex

	cleaned   Cleaned
	uncleaned bool // files of the log were removed, and not yet all that is derived from them
	manual    int  // rounds of cleaning for which every hour is one of DeleteAt
	cleanNow  env.Cond

	lastStoredAt int64 // store time of the newest record, wall milliseconds
	shownAt      int64 // store time of the newest visible record, wall milliseconds
	flushedAt    int64 // the same of the newest that is both visible and flushed; the checkpoint tells Java brokers
	queuesFailed error // a sync of a queue failed: the checkpoint stays where it is until a restart
}

// Open locks the store's directory, recovers it and starts its tasks. It waits for the disk.
// It fails with env.ErrLocked if another broker has the directory, and with a
// description of the damage if the files contradict each other.
func Open(e env.Env, options Options) (*Store, error) {
	options = options.withDefaults()
	if err := options.validate(); err != nil {
		return nil, err
	}
	lock, err := e.Disk.Lock(lockPath)
	if errors.Is(err, env.ErrLocked) {
		return nil, fmt.Errorf("the store is in use, stop the other broker first: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("the store's directory cannot be locked, so it is not touched: %w", err)
	}
	s := &Store{
		env: e, options: options, lock: lock,
		logFiles: segment.NewHandles(e.Disk, openLogFilesMax), queueFiles: segment.NewHandles(e.Disk, options.OpenFilesMax),
		queues:   map[QueueKey]*queueLog{},
		cleanNow: e.Tasks.NewCond(), unflushed: e.Tasks.NewCond(), changed: e.Tasks.NewCond(), stop: e.Tasks.NewCond(),
		tasks: env.NewGroup(e.Tasks), saving: env.NewSemaphore(e.Tasks, 1),
	}
	s.keys = keyIndex{store: s, hurry: e.Tasks.NewCond(), moved: e.Tasks.NewCond()}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.release())
	}
	if s.keys.files != nil {
		s.tasks.Go("index keys", s.keys.run)
	}
	s.tasks.Go("flush log", s.flushLog)
	s.tasks.Go("save queues", s.saveQueues)
	s.tasks.Go("time out appends", s.timeOutAppends)
	s.tasks.Go("clean", s.clean)
	return s, nil
}

func (s *Store) start() error {
	if s.options.Locked != nil {
		if err := s.options.Locked(); err != nil {
			return err
		}
	}
	planned, err := s.carryOut()
	if err != nil {
		return err
	}
	return s.recover(planned)
}

// Written, Flushed and Confirmed are the watermarks: how far the log is in the operating system, on the
// medium, and visible to consumers.
func (s *Store) Written() message.LogOffset { return s.written }

// Flushed is how far the log is on the medium.
func (s *Store) Flushed() message.LogOffset { return s.flushed }

// Confirmed is how far consumers may see. It never moves back while the store is open.
func (s *Store) Confirmed() message.LogOffset {
	if s.options.Replicated {
		return s.confirmed
	}
	return s.Durable()
}

// Start is the first byte of the log that still exists.
func (s *Store) Start() message.LogOffset { return message.LogOffset(s.log.Start()) }

// Fenced tells why the store takes no appends any more, or nil.
func (s *Store) Fenced() error { return s.fence }

// Health is nil while appends are taken.
func (s *Store) Health() error {
	if s.fence != nil {
		return s.fence
	}
	return cmp.Or(s.full, s.crowded, s.clogged)
}

// Queues lists the queues of the store in a stable order.
func (s *Store) Queues() []QueueKey {
	keys := make([]QueueKey, len(s.order))
	for i, q := range s.order {
		keys[i] = q.key
	}
	return keys
}

// InBatches reports whether the records of a queue may hold several messages each (queue.type BatchCQ).
func (s *Store) InBatches(key QueueKey) bool {
	q := s.queues[key]
	return q != nil && q.layout.batch
}

// fail fences the store: nothing is acknowledged any more, because what the disk holds is in doubt.
func (s *Store) fail(what string, err error) {
	if s.fence != nil {
		return
	}
	s.fence = fmt.Errorf("%s failed, so the store takes no more messages; check the disk and restart the broker: %w", what, err)
	s.env.Log.Error("store fenced", zap.Error(s.fence), zap.Int64("written", int64(s.written)), zap.Int64("flushed", int64(s.flushed)))
	s.answerAll(AppendFailed, s.fence.Error())
	s.unflushed.Broadcast()
}

// closeStep is how often Close looks whether the disk is done.
const closeStep = 20 * time.Millisecond

// Close flushes everything, answers what waits, writes the checkpoint and releases the
// lock. After a fence it leaves the crash marker, so that the next Open verifies.
func (s *Store) Close() error {
	if s.closing {
		return nil
	}
	s.closing = true
	s.stop.Broadcast()
	s.cleanNow.Broadcast()
	s.wakeFollowers()
	s.wakeFeeds()
	// A full disk refuses what waits to be written, and then nothing waits any more.
	for s.writing || s.fence == nil && (!s.batch.empty() || s.flushed < s.written) {
		s.Kick()
		s.unflushed.Signal()
		s.changed.WaitUntil(s.env.Clock.Now().Add(closeStep))
	}
	s.drained = true
	// What copies have not confirmed may be lost, or not.
	s.answerAll(AppendFailed, "the broker has stopped before enough copies had the message: it may be stored or not")
	s.stop.Broadcast()
	s.unflushed.Broadcast()
	s.changed.Broadcast()
	s.keys.hurry.Broadcast()
	s.tasks.Wait()
	err := s.fence
	if err == nil {
		err = s.closeClean()
	}
	return errors.Join(err, s.release())
}

func (s *Store) closeClean() error {
	if err := s.alone(s.checkpoint); err != nil {
		return err
	}
	if err := s.env.Disk.Remove(crashMarker); err != nil {
		return err
	}
	return s.env.Disk.SyncDir(".")
}

// ErrClosed: the store was closed.
var ErrClosed = errors.New("the store is closed")

// release closes all files and the lock.
func (s *Store) release() error {
	s.released = true
	var errs []error
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	for _, q := range s.order {
		errs = append(errs, q.row.Close())
	}
	if s.keys.files != nil {
		errs = append(errs, s.keys.files.Close())
	}
	return errors.Join(append(errs, s.lock.Unlock())...)
}

// String tells the watermarks in one line.
func (s *Store) String() string {
	parts := []string{
		fmt.Sprintf("store [%d, %d)", s.log.Start(), s.appended),
		fmt.Sprintf("written %d", s.written), fmt.Sprintf("flushed %d", s.flushed),
		fmt.Sprintf("%d queues", len(s.order)),
	}
	if s.fence != nil {
		parts = append(parts, "fenced")
	}
	return strings.Join(parts, ", ")
}
