// Package store is the message store of one broker: one commit log, and for each
// (topic, queue) a consume queue that lists where its messages stand in the log. The
// files have the same bytes as Apache RocketMQ's (FORMAT.md).
//
// # Who owns the state
//
// A Store belongs to one node and is used with its baton held. Its own tasks flush the log, save queues and time
// out appends.
//
// # Which calls wait
//
// Open, Check, Close, Flush, Kick, DropTopic, Read, RecordBytes, StoredAt and OffsetAt wait for the disk. Append never does.
//
// # What is durable when
//
// A Completion with AppendOK says: with SyncFlush the record is on the medium; with AsyncFlush it is
// in the operating system, so it survives the death of the process but not of the machine. Consumers
// see exactly the records below Confirmed, which never moves back: flushed ones with SyncFlush, written
// ones with AsyncFlush.
//
//	appended >= written >= flushed        SyncFlush: Confirmed = flushed, AsyncFlush: Confirmed = written
//
// A failed write or sync fences the store for good: what the disk holds is in doubt. A full disk only refuses,
// erases the traces of what it refused, and takes messages again when there is space.
//
// # What a crash may lose
//
// Records that were never answered with AppendOK, and with AsyncFlush those of the last moments when the machine
// lost its power. Queue files are derived from the log: after a crash they are built again from the checkpoint
// on, and wholly if entries are missing. An entry reaches its file after its record is on the medium.
//
// # The data path
//
// Store.Append (append.go: admit, measure, roll, place) → Store.Kick → writeBatch (write.go) → flushOnce
// (flush.go) → confirm → show (entry into its queue) → Options.Arrived, Completion.Appended.
//
// Reading: Store.Read (read.go) → queueLog.readEntries (queue.go) → choose → readRecords.
//
// # Files
//
//	store.go       Open, Close, watermarks, fence
//	append.go      places for records, waiting appends
//	write.go       batches to the operating system, full disk
//	flush.go       group commit, confirmation
//	queue.go       consume queues
//	read.go        reading by queue and by place
//	checkpoint.go  how far queues are durable
//	recover.go     after a restart
//	scan.go        the log, record by record, verified
//	checksum.go    the whole-record checksum
//	drop.go        removing topics
//	check.go       verifying a closed directory: the log, the checkpoint
//	check_queue.go the same for queues
//	status.go      outcomes
//	options.go     settings and limits
//	fifo.go        a list that reuses its memory
package store
