// Package repeat knows which sends have come before. A producer gives itself an id and its messages a sequence; who sends a message again, because
// no answer came, sends both again, and the Table finds out where the first one was stored. It is pure: it knows no clock, no disk and no lock.
//
// # Who owns what
//
// A broker owns one Table, uses it with its baton held, and adds what is stored in the order of its log. So the table is a function of the log: who
// adds the records of the log once more gets the same table, and a Snapshot with a place in the log saves reading all of it.
//
// # What is remembered
//
// Of each producer the last sends, by sequence (Limits.Window); what is below them is Below: perhaps stored, perhaps not, and never to be stored
// again. A producer that has sent nothing for Limits.Forget is forgotten, and so are those that have been silent longest when there are too many
// producers or sends. A forgotten producer is like one that was never there.
//
// Time is that of the records, and no step of a calendar makes it run fast: see Table.pass.
//
// # From a send to its repeat
//
// Table.Find (New) → the store → Table.Add; again Table.Find (Known).
//
// Saving: Table.Snapshot → Snapshot.Encode; Decode → Snapshot.Table.
//
// # Files
//
//	identity.go  which message of which producer
//	table.go     what is remembered
//	forget.go    what is not any more
//	snapshot.go  the table as bytes
package repeat
