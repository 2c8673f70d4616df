// Package store is the message store of one broker: one commit log, for each (topic, queue) a consume queue that
// lists where its messages stand in the log, and an index by which messages are found by key. The
// files have the same bytes as Apache RocketMQ's (FORMAT.md).
//
// # Who owns the state
//
// A Store belongs to one node and is used with its baton held. Its own tasks flush the log, save queues, time
// out appends, index keys and clean. One of them at a time writes or removes queue files, or writes the checkpoint (alone).
// A Follower belongs to one task. An Inspector, Check and Repair work without a Store; the last two hold the
// directory's lock, so that no broker uses it meanwhile.
//
// # Which calls wait
//
// For the disk: Open, Check, PlanRepair, Repair, Inspect and the calls of an Inspector but Log, FileStart and Close, WithSizesOf; of a
// Store Close, Flush, CutLog, BeginAt, LogBytes, Kick, DropTopic, DropTopicBefore, HideExpired, InMemory, Read, RecordBytes, Entries,
// StoredAt, OffsetAt and FindByKey, which also waits until the key index is as far as the log; of a Follower Next, and Wait for records;
// of a Feed Next, and Wait for bytes; of an Intake Take. PlanCut and PlanAnew wait. All others do not wait, above all Append.
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
// With Options.Replicated Confirmed is also not more than Allow says. The files of queues and the checkpoint speak of confirmed records only, so what
// copies have not confirmed can be cut off, and has to be confirmed again after a restart.
//
// A topic is removed durably when DropTopic returns. A failed write or sync of the log fences the store for good: what the disk
// holds is in doubt. After one of a queue or the key index only what is derived stays behind, until a restart. A full disk
// only refuses, erases the traces of what it refused, and takes messages again when there is space.
//
// # What a crash may lose
//
// Records that were never answered with AppendOK, and with AsyncFlush those of the last moments when the machine
// lost its power. Queues and key index are derived from the log: after a crash they are built again from the checkpoint
// on, and wholly if anything is missing. An entry or an item reaches its file after its record is on the medium.
//
// What retention hides (Options.Retention) is in no file: HideExpired hides it again after a start, before anybody reads.
//
// # What is damaged
//
// The checkpoint says how far the log is durable. A record before that which is not valid is not the end of the log but damage: Open
// refuses with a DamageError, and Repair makes the log readable again. While the store is open each record is verified when it
// is read: Read and OffsetAt fail with ErrDamaged, RecordBytes with ErrNoRecord, searches by key pass over it.
//
// # The data path
//
// Store.Append (append.go: admit, measure, roll, place) → Store.Kick → writeBatch (write.go) → flushOnce
// (flush.go) → confirm → show (entry into its queue) → Options.Arrived, Completion.Appended.
//
// Reading: Store.Read (read.go) → queueLog.readEntries (queue.go) → choose → readRecords → verifyRun.
//
// Copies: a master reads with Feed.Next (feed.go) what its slaves need; a slave gives it to Intake.Add, Take (intake.go) → take → Kick; Allow (confirm.go) → confirm.
//
// Keys: confirm → Follower.Next (follow.go) → keyIndex.extract (keys.go) → index.Index.Add → keyIndex.save → the checkpoint's mark.
// Finding: Store.FindByKey (find.go) → keyIndex.reach → index.Index.Search → matching.
//
// Cleaning: cleanRound (clean.go) → expireMessages (retention.go) → cleanLog → cleanQueues → index.Index.RemoveBefore.
//
// Starting: Open (store.go) → recover (recover.go) → replay.run (replay.go) → loadQueues (load.go), logScanner.next
// (scan.go), replay.record → settle → openIndex (keys.go).
//
// # Files
//
//	store.go       Open, Close, watermarks, fence
//	append.go      places for records, waiting appends
//	late.go        appends that were answered before their outcome was known
//	write.go       batches to the operating system, full disk
//	flush.go       group commit, confirmation
//	confirm.go     what copies confirm; cutting off what they do not
//	feed.go        the bytes of the log, for copies
//	intake.go      the bytes of a master's log, for a slave
//	plan.go        what the next start cuts off
//	queue.go       consume queues
//	layout.go      what their entries say, in the two kinds of queues
//	inner.go       records that hold several messages
//	tag.go         what an entry says of a record: its tag, or when it is due
//	read.go        reading by queue and by place, verified
//	entries.go     what a queue says of its messages, as it is written
//	follow.go      the confirmed log, record by record, for what is derived from it
//	keys.go        filling the key index
//	find.go        finding messages by key
//	clean.go       removing old files: by age, by how full the disk is
//	retention.go   limits of single topics
//	drop.go        removing topics
//	checkpoint.go  how far log, queues and key index are durable
//	recover.go     after a restart: where to read from, what to build on
//	replay.go      reading the log and building queues from it
//	load.go        what the files of queues say at a start
//	scan.go        the log, record by record, verified
//	checksum.go    the whole-record checksum
//	damage.go      how far a damaged part of the log goes
//	bridge.go      records over damaged parts
//	lost.go        the numbers of the messages that stood there
//	repair.go      putting a damaged directory in order
//	check.go       verifying a closed directory: the log, the checkpoint
//	check_queue.go the same for queues
//	check_index.go the same for the key index
//	inspect.go     looking into a directory, whether a broker uses it or not
//	inspect_foreign.go     passing over files that no broker makes, and finding the sizes of ours
//	inspect_checkpoint.go  both slots of the checkpoint
//	measured.go    what monitoring asks of a store
//	status.go      outcomes
//	options.go     settings and limits
//	fifo.go        a list that reuses its memory
//
// Package segment keeps rows of files, package index the files of the key index.
package store
