// Package scenario holds the named simulations: each draws its options from the seed, builds a
// cluster of production nodes, runs clients against it while faults happen (safety phase), heals everything and
// demands progress (liveness phase), and then judges what the clients saw.
//
// A run fails with the first broken promise, and the failure carries the step at which it was noticed. The same
// seed and options give the same run, byte for byte.
//
// Files:
//
//	scenario.go  what a scenario is, the list of them, Execute
//	draw.go      options from the seed
//	pubsub.go    producers and consumers: the safety phase
//	clients.go   their clients, and what is recorded
//	liveness.go  after healing
//	verdict.go   judging the history
//	fleet.go     push consumers: the cluster, producers, and the phases of a run; fleet_member.go: one member, how members come and go
//	orderly.go   consumption in order; orderly_locks.go: clients that ask for locks and commit without regard to them; raw.go: how they speak
//	filters.go   tags and SQL92 expressions
//	broadcast.go broadcasting, and offsets in files
package scenario
