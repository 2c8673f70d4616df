// Package processtest runs real programs as processes of a test: the command gantry, built once, and any other. Only tests import it.
//
//	binary := processtest.NewBinary("mqbroker")        // TestMain: defer binary.Remove()
//	command, err := binary.Command(home, "mqbroker", "--listenPort", "0")
//	p := processtest.Launch(t, command)                // killed at the end of t, and shown if t failed
//	address, err := p.Says(processtest.BrokerStarted("broker-a"))
//	code, err := p.Stop(syscall.SIGTERM)
//
// # Who owns what
//
// A Process has goroutines that copy what it says until it has ended, so whoever calls Start has to kill it before leaks are looked
// for; Launch does that at the end of the test. A Binary has a temporary directory until Remove. Nothing outlives the test binary.
//
// # What waits
//
// Await, Says, Code and Stop, for Patience at the most, and Kill until the process is gone. A process that does not end in time is asked
// what its goroutines do, and then killed, so none is left.
//
// # Files
//
//	doc.go         this
//	transcript.go  what was said so far
//	process.go     starting, awaiting, stopping, killing
//	binary.go      building the command gantry
//	servers.go     its name servers and brokers: their options, and what they say when they have started
package processtest
