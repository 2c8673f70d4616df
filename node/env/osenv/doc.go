// Package osenv is the production world: it implements the seam of package env
// with goroutines, the wall clock, TCP and the operating system's files.
//
// # The baton
//
// Each node's world has one mutex, the baton. A task is a goroutine that holds it, except inside
// the calls that env lists as waiting. System calls, decoding (Conn.Read's callback) and Offload run without
// it. Everything in this package that is not a system call is guarded by the baton.
//
// # Durability
//
// File.Sync is fdatasync, SyncDir is fsync of the directory. A write error of kind ENOSPC is
// env.ErrNoSpace, EIO is env.ErrIO. Files are written by pwrite and viewed through read-only mappings; a
// fault on a mapping (truncated file, bad medium) ends the view with env.ErrIO and
// does not end the process.
//
// # Files
//
//	osenv.go       New, Options, World
//	tasks.go       goroutines under the baton, conditions
//	door.go        the way in for the application's goroutines
//	clock.go       monotonic and wall time
//	rand.go        named streams seeded by the operating system
//	disk.go        names, directories
//	file.go        open files
//	system_*.go    what differs between operating systems: sync, allocate, map, lock
//	memory_*.go    how much memory the machine has
//	network.go     dialling and listening
//	conn.go        TCP streams
package osenv
