// Package env is the seam between a node and the machine it runs on.
//
// A node (name server, broker, controller, client instance) may touch the
// world only through the interfaces of this package. Two worlds implement
// them: osenv (wall clock, TCP, OS files) for production, and sim (virtual
// clock, modelled network and disks, injected faults) for the simulator. The
// same node code runs, unchanged, in both. The suite in envtest states this
// contract as tests, and both worlds must pass it.
//
// # The baton
//
// A node runs one task at a time. A task holds the node's baton and gives it up
// only inside a call of this package that may wait. Code between two such
// calls is atomic in both worlds. Node code therefore needs, and has, no
// locks, no channels, no select and no go statement.
//
// Calls that may wait, and so give up the baton:
//
//   - Tasks.Sleep, Tasks.Yield, Tasks.Offload, Cond.Wait, Cond.WaitUntil, and
//     what is built on them: Queue.Pop, Future.Wait, Semaphore.Acquire;
//   - every method of Disk and File except File.Size, File.Name, File.View and File.Close;
//   - Network.Listen, Network.Dial, Listener.Accept, Conn.Read, Conn.Write.
//
// Calls that never wait: everything on Clock and Rand, Tasks.Go, Cond.Signal,
// Cond.Broadcast, the deadline setters, Close on anything, logging.
//
// # Order
//
// Bytes of one Conn arrive in the order they were written or not at all. There
// is no order between connections. Writes to one file by one task are seen in
// program order by every task; two writes that overlap in time and in range
// have no defined result. Which of several waiters a Signal wakes is not
// defined.
//
// # What survives a crash
//
// Of file contents: what Sync covered, once Sync has returned nil. Bytes
// written but not synced may survive, in whole, in part by sector, or not at all, in
// any combination. Of names: a creation, removal or rename survives once
// SyncDir of its directory has returned nil; before that it may be undone.
// After Sync has failed, the range it covered is in doubt for ever: a later
// successful Sync says nothing about bytes written before the failure.
//
// # Ownership
//
// A slice passed to a call belongs to the callee until the call returns, and to
// the caller again afterwards: no call of this package keeps one. A slice handed to
// a callback (File.View, Conn.Read) is valid until the callback returns and must
// not be changed in View.
//
// # Dead machines
//
// When the simulator crashes a machine, each of its tasks is unwound by a panic
// whose value answers true to IsCrash. Deferred functions run, but any call they make that
// waits, starts or wakes a task, or touches a disk or connection panics again. Code that recovers panics must pass such a
// value on.
package env
