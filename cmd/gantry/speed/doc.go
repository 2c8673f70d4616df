// Package speed has the benchmarks of whole nodes: the real binary in a process of its own, clients in the benchmark's, and TCP
// on the loopback interface between them. Benchmarks of parts stand beside the parts.
//
// # What is measured
//
// A turn of our side is followed by the same turn of a yardstick, so that both see the same machine, and what counts is their ratio. The
// yardstick is a third process that answers each request with a response, both byte by byte what a broker and a client have said, and does
// nothing else: it is what TCP allows. A benchmark of memory divides what the node's process has grown by the number of
// what has been put into it.
//
// # Files
//
//	doc.go          this
//	main_test.go    the tests' own binary as the yardstick
//	node_test.go    a node in a process of its own, and how much memory it has
//	frames_test.go  requests and responses as bytes, connections without the client library
//	echo_test.go    the yardstick
//	send_test.go    producers
//	consume_test.go members of one group, and many groups
//	memory_test.go  idle connections, held pulls
//	share_test.go   sharing out the queues of a large group
package speed
