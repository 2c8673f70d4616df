package store

import (
	"errors"
	"fmt"
	"math"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
)

// Inspector reads the files of a store, whether a broker uses it or not. It takes no lock and changes nothing. On
// a live directory what it sees may be incomplete at the ends. All its calls wait for the disk.
type Inspector struct {
	env     env.Env
	options Options
	own     *ownFiles // the disk in env
	files   *segment.Handles
	log     *segment.Row
}

// Inspect looks at the store in the environment's directory. Files that no broker makes are passed over (Warnings), unless there are no
// others.
func Inspect(e env.Env, options Options) (*Inspector, error) {
	i := &Inspector{env: e, options: options.withDefaults()}
	i.own = newOwnFiles(e.Disk, &i.options)
	i.env.Disk = i.own
	i.files = segment.NewHandles(i.own, i.options.OpenFilesMax)
	var err error
	i.log, err = segment.Inspect(i.files, logDir, i.options.LogSegmentSize)
	if err != nil {
		return nil, err
	}
	return i, nil
}

// Close closes the files.
func (i *Inspector) Close() error { return i.log.Close() }

// Log returns the range of the log's files. The log may end before the end of the last one.
func (i *Inspector) Log() (start, end message.LogOffset) {
	return message.LogOffset(i.log.Start()), message.LogOffset(i.log.End())
}

// String names the range of the log.
func (i *Inspector) String() string {
	return fmt.Sprintf("log files [%d, %d)", i.log.Start(), i.log.End())
}

// Records calls each with the records from a place on, where one begins, until it returns false. It
// returns where it ended, and, if no valid record stands there, why. Nothing is wrong with a log that ends at unwritten bytes.
func (i *Inspector) Records(from message.LogOffset, each func(r *message.Record, end message.LogOffset) bool) (at message.LogOffset, problem, err error) {
	scanner := newLogScanner(i.log, from)
	for {
		ok, err := scanner.next()
		if err != nil || !ok {
			return scanner.at, scanner.problem, err
		}
		if !each(&scanner.record, scanner.at) {
			return scanner.at, nil, nil
		}
	}
}

// NextRecord returns the first place behind one where a whole valid record or an end-of-file marker stands, or the end of the file.
func (i *Inspector) NextRecord(from message.LogOffset) (message.LogOffset, error) {
	return nextValid(i.log, from)
}

// FileStart is where the file of the log begins that holds a place.
func (i *Inspector) FileStart(at message.LogOffset) message.LogOffset {
	return message.LogOffset(i.log.FileStart(int64(at)))
}

// Record returns the record that begins at a place. The error is ErrNoRecord if none does.
func (i *Inspector) Record(at message.LogOffset) (*message.Record, error) {
	if !i.log.Has(int64(at)) {
		return nil, fmt.Errorf("%v: %w: %v", at, ErrNoRecord, i)
	}
	scanner := newLogScanner(i.log, at)
	ok, err := scanner.next()
	switch {
	case err != nil:
		return nil, err
	case scanner.problem != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoRecord, scanner.problem)
	case !ok || scanner.record.LogOffset != at:
		return nil, fmt.Errorf("%v: %w", at, ErrNoRecord)
	}
	return scanner.record.Clone(), nil
}

// QueueInfo describes the files of a queue.
type QueueInfo struct {
	Key   QueueKey
	First message.QueueOffset // first message that the log still has
	End   message.QueueOffset // one past the last entry
	Files int
	Batch bool // its records may hold several messages each (queue.type BatchCQ)
}

// String tells the queue's range.
func (q QueueInfo) String() string { return fmt.Sprintf("%v [%d, %d)", q.Key, q.First, q.End) }

// Queues lists the queues that have a directory.
func (i *Inspector) Queues() ([]QueueKey, error) {
	directories, err := listQueues(i.env.Disk)
	var keys []QueueKey
	listed := map[QueueKey]bool{}
	for _, d := range directories {
		if !listed[d.key] {
			listed[d.key] = true
			keys = append(keys, d.key)
		}
	}
	return keys, err
}

// Queue looks at the files of a queue.
func (i *Inspector) Queue(key QueueKey) (QueueInfo, error) {
	q, err := i.open(key)
	if err != nil {
		return QueueInfo{}, err
	}
	info := QueueInfo{Key: key, Batch: q.layout.batch, Files: int((q.row.End() - q.row.Start()) / q.row.SegmentSize())}
	from, to := q.rowRange()
	end, err := q.search(from, to, func(e entry) bool { return e.filler() || e.possible() })
	first := from
	if err == nil {
		first, err = q.search(from, end, func(e entry) bool { return e.filler() && e.log == 0 || int64(e.log) < i.log.Start() })
	}
	if err == nil {
		first, err = q.passLost(first, end)
	}
	if err == nil {
		err = q.beginLoaded(from, first, end)
	}
	info.First, info.End = q.min, q.max
	return info, errors.Join(err, q.row.Close())
}

func (i *Inspector) open(key QueueKey) (*queueLog, error) {
	if reason := key.illegal(); reason != "" {
		return nil, errors.New(reason)
	}
	for _, l := range layouts {
		row, err := segment.Inspect(i.files, l.path(key), l.fileSize(&i.options))
		if err != nil {
			return nil, err
		}
		if !row.Empty() {
			return newQueueLog(key, l, row), nil
		}
	}
	return nil, fmt.Errorf("%s: %w", simpleLayout.path(key), env.ErrNotExist)
}

// Entry is what a queue says of one of its messages.
type Entry struct {
	Number  message.QueueOffset // of its first message
	Count   int32               // messages; more than one only in an inner batch
	Log     message.LogOffset
	Size    int32 // of the record in bytes
	TagHash int64
	Filler  bool // it stands for a message that the log no longer had when the queue was made
}

// String tells the entry in one line.
func (e Entry) String() string {
	return fmt.Sprintf("message %d at %d, %d bytes, tag %d", e.Number, e.Log, e.Size, e.TagHash)
}

// Entries calls each with the entries of a queue from the one of a number on, until it returns false.
func (i *Inspector) Entries(key QueueKey, from message.QueueOffset, each func(Entry) bool) error {
	q, err := i.open(key)
	if err != nil {
		return err
	}
	at, end := q.rowRange()
	at, err = q.search(at, end, func(e entry) bool { return !e.unwritten() && e.next() <= from })
	if err == nil {
		err = q.eachEntry(at, end, each)
	}
	return errors.Join(err, q.row.Close())
}

func (q *queueLog) eachEntry(at, end position, each func(Entry) bool) error {
	for at < end {
		p := make([]byte, q.byteOf(min(entriesPerRead, q.fileEnd(at)-at)))
		if err := q.row.ReadAt(p, q.byteOf(at)); err != nil {
			return err
		}
		for ; len(p) > 0; p = p[q.layout.size:] {
			e := q.layout.decode(p, at)
			if e.unwritten() || !each(e.exported()) {
				return nil
			}
			at++
		}
	}
	return nil
}

// CheckpointInfo is what the checkpoint file says. Times are wall milliseconds.
type CheckpointInfo struct {
	PhysicalAt, LogicsAt, IndexAt int64
	Own                           bool              // the words below are ours, and valid
	Saved                         message.LogOffset // queue entries of records before it are durable
	Durable                       message.LogOffset // the log is, up to here
	Entries                       int64
	Index                         index.Mark
	Running                       bool // the crash marker is there: a broker runs, or has crashed
}

// Checkpoint reads the checkpoint file and looks for the crash marker.
func (i *Inspector) Checkpoint() (CheckpointInfo, error) {
	state, err := readCheckpoint(i.env.Disk)
	if err != nil {
		return CheckpointInfo{}, err
	}
	info := state.info()
	clean, err := closedCleanly(i.env.Disk)
	info.Running = !clean
	return info, err
}

// ParseCheckpoint reads the bytes of a checkpoint file. Running is not in it.
func ParseCheckpoint(p []byte) CheckpointInfo { return decodeCheckpoint(p).info() }

func (c checkpointState) info() CheckpointInfo {
	return CheckpointInfo{
		PhysicalAt: c.physicalAt, LogicsAt: c.logicsAt, IndexAt: c.indexAt,
		Own: c.own, Saved: c.saved, Durable: c.durable, Entries: c.entries, Index: c.mark,
	}
}

// String tells the main words in one line.
func (c CheckpointInfo) String() string {
	return fmt.Sprintf("saved %d, %d entries, index %v, running %v", c.Saved, c.Entries, c.Index, c.Running)
}

// Dropped lists removed topics of which the log may still have records: for each the place before which they are not shown.
func (i *Inspector) Dropped() (map[string]message.LogOffset, error) { return readDropped(i.env.Disk) }

// IndexFiles describes the files of the key index.
func (i *Inspector) IndexFiles() ([]index.FileInfo, error) {
	files, err := index.Inspect(i.env.Disk, i.options.Index)
	if err != nil {
		return nil, err
	}
	return files.Files(), files.Close()
}

// Find calls each with the places where the key index leads for a key of a topic, the newest first, until it returns false. Other
// keys with the same hash are among them.
func (i *Inspector) Find(topic, key string, each func(at message.LogOffset) bool) error {
	files, err := index.Inspect(i.env.Disk, i.options.Index)
	if err != nil {
		return err
	}
	err = files.Search(message.IndexKeyHash([]byte(topic), []byte(key)), math.MinInt64, math.MaxInt64, func(at message.LogOffset) (bool, error) { return each(at), nil })
	return errors.Join(err, files.Close())
}

// WithSizesOf returns the options with the sizes of files as most files of the directory have them: they are written nowhere, so a
// tool that was not told looks at the files. The sizes of the key index are those that fit what its files say.
func WithSizesOf(e env.Env, options Options) (Options, error) {
	log := commonSize{}
	if err := log.add(e.Disk, logDir, 1); err != nil {
		return options, err
	}
	options.LogSegmentSize = log.or(options.LogSegmentSize)
	if err := queueSizesOf(e.Disk, &options); err != nil {
		return options, err
	}
	found, ok, err := index.SizesOf(e.Disk, options.withDefaults().Index)
	if ok {
		options.Index = found
	}
	return options, err
}

// queuesLookedAt bounds how many directories of each layout are read to find the size of their files.
const queuesLookedAt = 100

func queueSizesOf(disk env.Disk, options *Options) error {
	directories, err := listQueues(disk)
	if err != nil {
		return err
	}
	for _, l := range layouts {
		sizes, looked := commonSize{}, 0
		for _, d := range directories {
			if d.layout != l || looked >= queuesLookedAt {
				continue
			}
			if err := sizes.add(disk, d.path(), l.size); err != nil {
				return err
			}
			looked++
		}
		if size := sizes.or(0); size > 0 {
			*l.entriesOption(options) = size / l.size
		}
	}
	return nil
}
