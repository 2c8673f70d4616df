// Package fault draws and carries out schedules of faults on a cluster.
//
// A schedule is a list, drawn whole from the seed before the run, so that a shrinker can leave out entries
// without shifting the others: each fault has a random stream of its own.
//
// Files: schedule.go (drawing), inject.go (carrying out).
package fault
