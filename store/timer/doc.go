// Package timer keeps messages that wait for a time of their own: which of them is due next, on disk, for a million and more of them.
//
// A Calendar has pages, each with the messages that are due in the same ten minutes. Messages are added in the order of the
// log, to whatever page, and taken in the order of the times when they are due. Only the pages that are due, or are the next ones, are in
// memory.
//
// # What is durable when
//
// A calendar is derived from the log, and Save makes it durable up to a Mark: all messages that stand before Mark.Added in the log are in
// the pages, and all that come before Mark.Cursor have left them. A start follows the log from there. What was delivered since, the log
// itself tells: so a crash loses nothing, and nothing is delivered twice.
//
// # Who owns the state
//
// One task adds and takes, another one saves. All calls are made with the baton held. Take, Save and Open wait for the disk.
//
// # Files
//
//	entry.go     a message that waits, and its bytes
//	page.go      the messages of one span of time
//	calendar.go  adding and taking
//	save.go      the mark, and what a start makes of it
//	restore.go   a calendar that is made again where its files are not
//	measured.go  what waits for how long yet, for monitoring
package timer
