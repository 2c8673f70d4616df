// Package cluster puts name servers, controllers, brokers and clients, the production code itself, on the
// machines of a simulated world, and starts, stops, crashes and restarts them.
//
// A Cluster belongs to the kernel's goroutine. Start and Crash do not wait; Stop waits and must be called by a
// task of another machine.
//
// Files: cluster.go (the whole), node.go (one node on its machine).
package cluster
