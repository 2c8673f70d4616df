package store

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
)

// FlushMode says when an append is acknowledged.
type FlushMode int

// The flush modes, with the broker's words for them.
const (
	// SyncFlush (SYNC_FLUSH): after the record is on the medium. Consumers see flushed records only.
	SyncFlush FlushMode = iota
	// AsyncFlush (ASYNC_FLUSH): after the operating system has the record. A crash of the machine, not
	// of the process, may lose what was acknowledged and shown in the last FlushEvery.
	AsyncFlush
)

// String is the broker's word for the mode.
func (m FlushMode) String() string {
	if m == AsyncFlush {
		return "ASYNC_FLUSH"
	}
	return "SYNC_FLUSH"
}

// QueueKey names a queue.
type QueueKey struct {
	Topic string
	ID    int32
}

// String is topic-id, as the protocol's queue table spells it.
func (k QueueKey) String() string { return fmt.Sprintf("%s-%d", k.Topic, k.ID) }

// topicLengthMax is the longest topic in bytes that brokers take. It is the name of a directory.
const topicLengthMax = 255

// illegal tells why there can be no such queue, or "".
func (k QueueKey) illegal() string {
	switch {
	case k.ID < 0:
		return fmt.Sprintf("the queue number %d is negative", k.ID)
	case k.Topic == "", k.Topic == ".", k.Topic == "..", strings.IndexByte(k.Topic, '/') >= 0, strings.IndexByte(k.Topic, 0) >= 0:
		return fmt.Sprintf("the topic %q cannot be the name of a directory", k.Topic)
	case len(k.Topic) > topicLengthMax:
		return fmt.Sprintf("the topic has %d bytes, the limit is %d", len(k.Topic), topicLengthMax)
	}
	return ""
}

// cannotHold tells why there can be no message of such a number in such a queue, or "".
func (k QueueKey) cannotHold(number message.QueueOffset) string {
	if number < 0 || number > positionMax {
		return fmt.Sprintf("there can be no message number %d", number)
	}
	return k.illegal()
}

// Options of a store. Zero fields take the defaults of DefaultOptions.
type Options struct {
	Flush FlushMode
	// LogSegmentSize is the size of a commit log file in bytes (mappedFileSizeCommitLog).
	LogSegmentSize int64
	// QueueSegmentEntries is the number of entries of a consume queue file (mappedFileSizeConsumeQueue / 20).
	QueueSegmentEntries int64
	// BatchSegmentEntries is the number of entries of a file of the queues in BatchQueues (mapperFileSizeBatchConsumeQueue / 46).
	BatchSegmentEntries int64
	// BatchQueues, if not nil, tells whether the records of a topic may hold several messages each (topic attribute queue.type=BatchCQ). It
	// is asked when a queue is made, must not wait, and must not change its mind while there are queues of the topic.
	BatchQueues func(topic string) bool
	// BodySizeMax is the largest body in bytes (maxMessageSize).
	BodySizeMax int
	// WaitingMax is the number of bytes that may wait for the disk; beyond it appends are refused as busy.
	WaitingMax int
	// FlushTimeout is when an append that waits for the disk is answered "flush timed out" (syncFlushTimeout).
	FlushTimeout time.Duration
	// FlushEvery is the longest time between syncs with AsyncFlush (flushIntervalCommitLog).
	FlushEvery time.Duration
	// SaveQueuesEvery is how often queue entries are written to their files (flushIntervalConsumeQueue).
	SaveQueuesEvery time.Duration
	// CheckpointEvery is how often queues are synced and the checkpoint moves on. It bounds
	// how much log a restart after a crash must read.
	CheckpointEvery time.Duration
	// CheckpointBytes is how much log is written at most before the checkpoint moves on, whatever the time.
	CheckpointBytes int64
	// BusyAfter is how long one write to the log may take before appends are refused as busy (osPageCacheBusyTimeOutMills).
	BusyAfter time.Duration
	// Cached is how much of the newest log is taken to be in memory, in bytes (accessMessageInMemoryMaxRatio of the machine's memory);
	// 0 is all of it. Of older messages, one read returns at most ColdCountMax with ColdBytesMax bytes
	// (maxTransferCountOnMessageInDisk, maxTransferBytesOnMessageInDisk), and advises to read from a slave.
	Cached       int64
	ColdCountMax int
	ColdBytesMax int
	// OpenFilesMax is how many queue files are kept open. The files of queues that are not used are closed.
	OpenFilesMax int
	// ReplayMax is how many queue entries a restart keeps in memory before it writes them to their files.
	ReplayMax int
	// DisableIndex switches the key index off (messageIndexEnable=false): messages are not found by key.
	DisableIndex bool
	// Index are the sizes of its files (maxHashSlotNum, maxIndexNum).
	Index index.Sizes
	// DelayLevels say how long messages of each delay level wait (messageDelayLevel).
	DelayLevels []time.Duration
	// Zone is the one of the local time that names the index files and in which the hours of DeleteAt are meant; UTC if nil.
	Zone *time.Location
	// KeepFor is how long messages stay in the log (fileReservedTime): a file goes when its newest one is older.
	KeepFor time.Duration
	// DeleteAt are the hours of the day in which expired files go (deleteWhen).
	DeleteAt []int
	// DiskUse says what happens as the disk fills.
	DiskUse DiskUse
	// NeverForce keeps files until they expire, however full the disk is (cleanFileForciblyEnable=false).
	NeverForce bool
	// CleanEvery is how often is looked for what can go (cleanResourceInterval).
	CleanEvery time.Duration
	// DeleteMax is how many files of the log go at most each time (deleteFileBatchMax), DeletePause the time between
	// two of them (deleteCommitLogFilesInterval).
	DeleteMax   int
	DeletePause time.Duration
	// Retention, if not nil, gives topics limits of their own. It must not wait.
	Retention func(topic string) Retention
	// Replicated says that the log has copies, and that nothing is confirmed before Allow says so. After a start what was not confirmed at the last checkpoint
	// has to be confirmed again.
	Replicated bool
	// Slave says that the log is that of a master, which an Intake takes. Appends are refused.
	Slave bool
	// ReplicaTimeout is how long an append waits for copies (slaveTimeout).
	ReplicaTimeout time.Duration
	// Moved is told when the log has become longer on the medium, or in the operating system with AsyncFlush. It must not wait.
	Moved func()
	// Locked, if not nil, is called once the directory is locked, before anything in it is looked at: whoever keeps more in it
	// reads there what BatchQueues and Retention will be asked for. Its error is that of Open.
	Locked func() error
	// Arrived is told of each record that consumers may see now, with the number of its last message. It must not wait.
	Arrived func(key QueueKey, offset message.QueueOffset, tagHash int64)
	// Synced is told how long each sync of the log took that made appends durable. It must not wait.
	Synced func(took time.Duration, bytes int64)
	// Progress is told, during recovery, how far the log was read.
	Progress func(done, total int64)
}

// DefaultOptions are those of a production broker.
func DefaultOptions() Options {
	return Options{
		LogSegmentSize:      1 << 30,
		QueueSegmentEntries: 300_000,
		BatchSegmentEntries: 300_000,
		BodySizeMax:         4 << 20,
		WaitingMax:          64 << 20,
		FlushTimeout:        5 * time.Second,
		ReplicaTimeout:      3 * time.Second,
		FlushEvery:          500 * time.Millisecond,
		SaveQueuesEvery:     time.Second,
		CheckpointEvery:     10 * time.Second,
		CheckpointBytes:     256 << 20,
		BusyAfter:           time.Second,
		Cached:              math.MaxInt64,
		ColdCountMax:        32,
		ColdBytesMax:        256 << 10,
		OpenFilesMax:        1024,
		ReplayMax:           1 << 20,
		DelayLevels:         DelayLevels(),
		KeepFor:             72 * time.Hour,
		DeleteAt:            []int{4},
		DiskUse:             DiskUse{Expire: 0.75, Force: 0.85, Refuse: 0.90},
		CleanEvery:          10 * time.Second,
		DeleteMax:           10,
		DeletePause:         100 * time.Millisecond,
		Index:               index.Sizes{Slots: 5_000_000, Items: 20_000_000},
	}
}

// openLogFilesMax is how many files of the log are kept open.
const openLogFilesMax = 64

func (o Options) withDefaults() Options {
	d := DefaultOptions()
	fill(&o.LogSegmentSize, d.LogSegmentSize)
	fill(&o.QueueSegmentEntries, d.QueueSegmentEntries)
	fill(&o.BatchSegmentEntries, d.BatchSegmentEntries)
	fill(&o.BodySizeMax, d.BodySizeMax)
	fill(&o.WaitingMax, d.WaitingMax)
	fill(&o.FlushTimeout, d.FlushTimeout)
	fill(&o.ReplicaTimeout, d.ReplicaTimeout)
	fill(&o.FlushEvery, d.FlushEvery)
	fill(&o.SaveQueuesEvery, d.SaveQueuesEvery)
	fill(&o.CheckpointEvery, d.CheckpointEvery)
	fill(&o.CheckpointBytes, d.CheckpointBytes)
	fill(&o.BusyAfter, d.BusyAfter)
	fill(&o.Cached, d.Cached)
	fill(&o.ColdCountMax, d.ColdCountMax)
	fill(&o.ColdBytesMax, d.ColdBytesMax)
	fill(&o.OpenFilesMax, d.OpenFilesMax)
	fill(&o.ReplayMax, d.ReplayMax)
	fill(&o.Index.Slots, d.Index.Slots)
	fill(&o.Index.Items, d.Index.Items)
	fill(&o.KeepFor, d.KeepFor)
	fill(&o.CleanEvery, d.CleanEvery)
	fill(&o.DeleteMax, d.DeleteMax)
	fill(&o.DeletePause, d.DeletePause)
	fill(&o.DiskUse.Expire, d.DiskUse.Expire)
	fill(&o.DiskUse.Force, d.DiskUse.Force)
	fill(&o.DiskUse.Refuse, d.DiskUse.Refuse)
	if o.DelayLevels == nil {
		o.DelayLevels = d.DelayLevels
	}
	if o.DeleteAt == nil {
		o.DeleteAt = d.DeleteAt
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Arrived == nil {
		o.Arrived = func(QueueKey, message.QueueOffset, int64) {}
	}
	if o.Moved == nil {
		o.Moved = func() {}
	}
	if o.Synced == nil {
		o.Synced = func(time.Duration, int64) {}
	}
	if o.Progress == nil {
		o.Progress = func(done, total int64) {}
	}
	return o
}

// layoutOf is how the queues of a topic are kept.
func (o *Options) layoutOf(topic string) *layout {
	if o.BatchQueues != nil && o.BatchQueues(topic) {
		return batchLayout
	}
	return simpleLayout
}

func fill[T int | int32 | int64 | float64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// headerRoom is what a record may need beside its body: fixed fields, topic, properties.
const headerRoom = 64 << 10

// validate refuses sizes that cannot work together.
func (o Options) validate() error {
	if o.LogSegmentSize < int64(o.BodySizeMax)+headerRoom+message.EndOfFileSize {
		return fmt.Errorf("LogSegmentSize %d cannot hold a record with a body of BodySizeMax %d: make the segment larger or the message limit smaller", o.LogSegmentSize, o.BodySizeMax)
	}
	return o.Index.Validate()
}
