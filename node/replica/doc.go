// Package replica decides how the copies of a log keep together: who has written which part of it, up to where all have it, which copy keeps
// up, what a copy cuts off before it follows. All of it is a function of state and input: nothing waits, nothing is sent, time is an argument.
//
// # Who owns the state
//
// A Leader belongs to the master of one epoch, a Follower to one connection of a copy, a Quorum to a master that was configured, a
// ClassicFollower to one connection of its slave. Whoever owns one is its only caller; node/broker carries out what they say.
//
// # What they promise
//
// What a Leader calls confirmed is at every broker that the controller may take for a member of the in-sync set, now or after any answer
// that is still on its way. So whichever member is elected next has it.
//
// What a Follower lets its broker write continues a log that is the same as the master's up to there, by the epochs of both and by a checksum.
//
// # The data path
//
// A copy: NewFollower → Hello → Answer, at the master → Follower.Welcome → Follower.Bytes, Follower.Change for each frame.
//
// A master: NewLeader → Connect → Report for each report → Confirmed; Change → Ask → Decided.
//
// # Files
//
//	epochs.go       who has written which part of a log, and where two logs part
//	epoch_file.go   the file that keeps it
//	set.go          sets of brokers
//	leader.go       the copies of an elected master
//	follower.go     the handshake, and what a copy accepts
//	frame.go        the protocol between the two, frame_fields.go its fields
//	quorum.go       the copies of a configured master
//	classic.go      the protocol of these, which Apache's brokers speak
package replica
