// Package acceptance asks of Gantry what users of RocketMQ expect of any broker: the cases that the wider community
// tests, from names that are too long to groups whose members come and go. Everything goes through the real binary: name
// server, brokers and `gantry admin` are processes on loopback, and the client library runs on the real machine
// in the test. The tests take nothing from the packages of the nodes, as a user could not either.
//
// # Quick tests and slow ones
//
// `make test` runs all but the slow tests, which wait for the times that are usual in production: 10 s and 30 s until a
// failed message comes again. `make e2e` runs them too (GANTRY_E2E=all in the environment). -short leaves all out.
//
// # Who owns what
//
// The binary is built once, and one cluster of a name server and two brokers serves all tests that do no harm to it; each of
// these has topics and groups of its own, so they run side by side. A test that stops or kills a node starts nodes of its own, which
// are killed when it ends. The shared cluster ends with the last test.
//
// # What a test may rely on
//
// Everything that waits has a bound, `patience`, or processtest.Patience for a process. A test that fails says what it was waiting for, and what the
// processes said.
//
// # Files
//
//	doc.go               this
//	main_test.go         the shared cluster, leaks
//	process_test.go      one process of the binary
//	cluster_test.go      name servers, brokers, topics, gantry admin
//	roles_test.go        producers and consumers of the client library, and what they got
//	start_test.go        what does not start, and which field it names
//	trust_test.go        who may do what
//	message_test.go      messages that are refused, and those at the edge that are not
//	topic_test.go        topics that do not exist, and those that nobody may have
//	send_test.go         the ways of sending
//	batch_test.go        batches, and those that are none
//	retry_test.go        messages that come again, dead letters
//	group_test.go        sharing queues, broadcasting
//	offset_test.go       where groups begin and go on, also after crashes
//	pop_test.go          messages that are popped and acknowledged one by one
//	tag_test.go          filters by tags
//	sql_test.go          filters in SQL92
//	status_test.go       what consumerStatus finds wrong with a group
//	order_test.go        consumption in order
//	request_test.go      requests and replies
//	delay_test.go        delay levels
//	reset_test.go        moving groups that run
//	copies_test.go       what copies cost
//	elected_test.go      controllers, and brokers that follow a master that is killed or stops
//	metrics_test.go      scrapes before and after, readiness, ports that are taken
//	deploy_test.go       alerts and boards against a live scrape
//	layout_test.go       the layouts of Docker Compose against the binary
//	manifest_test.go     the manifests of Kubernetes against the binary
//	objects_test.go      as much of objects of Kubernetes as is looked at
//	watchit_test.go      README.md's "Watch it"
//	tenminutes_test.go   the commands of README.md's first ten minutes, and what they print
//	readme_test.go       the other commands of README.md
package acceptance
