// Package linearizability judges histories: what clients asked of a queue and were
// told, with the instants of call and return. A history is right if each operation can
// be given one instant between its call and its return so that, in that order, a
// plain sequential log would have answered the same. The package knows nothing of
// nodes, networks or messages; it sees keys, offsets and hashes.
//
// # Two checkers, side by side
//
// The interval check uses the offsets. Sends are put in order by the offsets they
// were given, reads by what they saw, and what remains is whether every bound in time can be
// kept. It is linear in the length of the history, so it always answers.
//
// The search is porcupine over a sequential model. It does not need a final log and
// serves offsets and locks too, but its time grows without bound with the number of
// overlapping operations, most of all for histories that are wrong. It is therefore given
// pieces cut at quiet points and a limit on effort. A search that gives up is reported as
// Unknown, never as OK.
//
// For queues with a final log both must agree; that they do is tested. Beside them stands
// a weaker check for reads from replicas.
//
// # Unknown outcomes
//
// A send without an answer may or may not have happened. With the final log at hand
// this is settled first: if the message is there it happened, at or before the moment it was
// first seen; if not it never did. Without a final log, and for offsets and locks, the operation stays
// open for ever: an order may put it last, where it makes no difference.
//
// # Ownership
//
// Everything is a pure function of its arguments except Recorder, which belongs to one task
// at a time. Nothing waits on anything outside: porcupine starts a goroutine for a search and
// the call returns when the search has ended or run out of time. Unless a time limit is
// set the same history always gets the same verdict. Nothing is durable.
//
// # The way of a history
//
//	Recorder        collects operations while a run goes on
//	Check           sorts them by key and kind, and for each key:
//	resolve           settles unknown sends by the final log
//	checkInterval     uses the offsets
//	checkReplicas     what reads from replicas must keep
//	cut               pieces between quiet points
//	model.search      porcupine over each piece, the state carried on
//	WriteReport     draws one key as a page
//
// # Files
//
//	history.go        Operation, History
//	recorder.go       Recorder
//	final_log.go      Log, Entry: a queue as it was read at the end
//	resolve.go        unknown sends
//	interval.go       the interval check
//	interval_time.go  its bounds in time
//	replica.go        reads from replicas
//	cut.go            quiet points
//	model.go          what a sequential model is, and the search
//	explain.go        where an illegal history breaks
//	model_queue.go    the append-only log
//	model_offset.go   the register of a committed offset
//	model_lock.go     the lock of a queue
//	model_group.go    what controllers say of a replicated group; CheckGroup
//	check.go          Check, Options
//	verdict.go        Verdict, Rule
//	report.go         WriteReport
package linearizability
