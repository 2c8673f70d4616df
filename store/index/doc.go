// Package index finds messages by key: the files below index/ (classes IndexFile, IndexService), each a hash
// table on disk from the hash of "topic#key" to places in the commit log.
//
// A file has a header, slots and items. A slot holds the number of its newest item, an item the number of the one before
// it with the same slot: so each slot begins a chain from the newest to the oldest. Items are written in the order of the
// log. When all items are used, the next file begins.
//
// # Who owns the state
//
// One task of the node adds and saves; others may search meanwhile. All calls are made with the baton held, and all but
// Next wait for the disk.
//
// # What is durable when
//
// Everything before the log offset of the Mark that Save returned. The index is derived from the log: Open throws away what
// was added later, and tells with Next from where the log must be read again.
//
// # Files
//
//	format.go  sizes, header, items
//	name.go    names of files
//	sizes.go   which sizes the files were made with
//	table.go   one file: adding, what is not written yet
//	save.go    writing and syncing
//	search.go  walking a chain
//	index.go   the row of files: opening, rolling, removing
//	repair.go  what a crash left of the newest file
//	cursor.go  reading all items
//	check.go   comparing slots with items
package index
