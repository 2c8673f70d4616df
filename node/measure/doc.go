// Package measure is what nodes count and time about themselves, as plain values: which metrics there are, histograms with fixed buckets,
// and snapshots of all of it. It knows no clock, no lock and no exporter, so node code may use it and runs the same in the simulator.
//
// # Who owns what
//
// A node owns its Histograms and Calls and records with its baton held: an observation is a few comparisons and two additions, and allocates
// nothing. A Snapshot is made by one task, handed over, and belongs to whoever has it. A Metric never changes.
//
// Nothing here waits, and nothing is durable: all counts begin at zero when a process starts.
//
// # From a request to a page of metrics
//
// Histogram.Observe and Calls.Observe (by a node) → Histogram.Read (in a visit to the node) → Snapshot.Add → Snapshot.Limit → rendered by
// cmd/gantry/monitor.
//
// # Files
//
//	doc.go        this
//	metric.go     what a metric is
//	histogram.go  fixed buckets
//	calls.go      how long requests took, by what they asked and what they were answered
//	snapshot.go   all values of one moment, and the limit of their number
package measure
