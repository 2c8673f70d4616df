// Package sim is the simulated world: a seeded kernel that implements the seam
// of package env with a virtual clock, modelled machines, disks and network, and
// injected faults.
//
// # Rules
//
// One task runs at a time. Tasks are coroutines; the kernel resumes the one whose event
// comes next, and the seed decides between events of one instant. One seed gives one
// history: the trace hash covers every scheduling decision, delivered byte range and disk effect,
// and is equal on every machine, at every GOMAXPROCS, with and without the race detector, and whether or not
// somebody reads the trace and the logs.
//
// Random values come from streams named by purpose (Kernel.Stream), so that a draw more in one place does
// not shift the others.
//
// # Who owns what
//
// The Kernel owns everything. It is used by one goroutine. Node code reaches it only
// through the env.Env that Machine.Boot returns; scenario code steers it through
// Machine, Network and Disk.
//
// # What is modelled
//
// Machines crash (process killed or power lost), pause, and have calendars that jump. Streams have
// latency, jitter, bandwidth and a window; links can be blocked one way or clogged;
// connections are reset, become half-open, and deliver in random pieces. Disks lose, keep or tear
// unsynced writes, undo unsynced names, are slow, stuck, full, or fail reads, writes and syncs; a failed sync
// drops the dirty pages.
//
// # Not modelled
//
// Two tasks of one node never run truly in parallel (the baton forbids it in production as
// well), work inside Offload takes no simulated time, and memory is unlimited.
//
// # Files
//
//	kernel.go    the event loop and failures
//	events.go    the heap of events
//	tasks.go     coroutines, conditions, the door
//	machine.go   boot, crash, pause, calendar
//	network.go   links, dialling, listeners
//	conn.go      both ends of a stream
//	disk.go      names, locks, crashes of a disk
//	inode.go     contents: shown, pending, durable
//	file.go      open files
//	streams.go   seeded random values
//	trace.go     the fingerprint of a run
package sim
