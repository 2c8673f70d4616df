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
// # Encryption
//
// The node does not know of it. A listener has goroutines that greet each connection: the first byte tells whether it is
// encrypted, and Accept gets it when its handshake is done. Dial returns when its side of the handshake is done. Certificates are
// read again when their files change; files that cannot be used change nothing.
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
//	tls_server.go  what listeners do about encryption
//	tls_client.go  what dialling does about it
//	tls_listener.go  first bytes and handshakes
//	tls_conn.go    encrypted streams
//	tls_files.go   certificates and keys, and their changes
//	tls_selfsigned.go  the certificate of a server that has none
//	tls_errors.go  what went wrong, and what to do
package osenv
