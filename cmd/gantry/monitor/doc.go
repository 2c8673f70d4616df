// Package monitor serves what watches a process over HTTP, on a listener of its own: /metrics in the text format of Prometheus, /healthz,
// /readyz, and /debug/pprof if that is asked for.
//
// # Who owns what
//
// A Server owns its listener, and one Subject for each node of the process. It runs on the real machine, outside the worlds of the nodes, and
// changes nothing in them: all it knows of a node comes from visits through the node's Door, which a Source makes.
//
// # What waits, and for how long
//
// A scrape visits each node once; scrapes at the same time share a visit that began after they came. The node gathers plain numbers
// in short steps between which it goes on with its work (broker.Measure says how short), and everything is sorted and formatted outside. A
// node that lets nobody in for visitMax is reported as one that does not answer; there is never more than one visit of a kind under way, so
// it is not made worse.
//
// # Before a node serves
//
// The listener is open before the nodes start, so that recovery can be watched: /healthz says ok and /readyz why it is not ready yet.
//
// # Files
//
//	doc.go       this
//	server.go    the listener and what is served where
//	subject.go   a node as it is seen here: starting, serving, stopping
//	visit.go     getting into a node, and not for ever
//	render.go    snapshots as metrics of the Prometheus library
//	catalogue.go all metrics, as a page of documentation
package monitor
