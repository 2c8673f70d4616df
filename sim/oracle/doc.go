// Package oracle holds the invariants by which a run is judged: what clients saw (history.go), whether messages
// arrived whole (intact.go), and whether the files on the disks say the same as the log (files.go).
//
// Oracles know what was promised, not how it is kept. Each has hand-written violations that it must find.
package oracle
