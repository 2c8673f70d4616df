// Package interop runs other people's clients against the real binary, and Gantry's client against Apache's servers: name servers and
// brokers are processes on loopback, the clients are programs of their own, and Gantry's client library is the judge. Its tests have the
// build tag interop, because they need what Go does not bring along; `make interop` runs them.
//
// # The peers
//
//	ali-ons    the npm package of that name, an independent client, in ali-ons/. Needs Node.js and npm; its tests are
//	           left out, and say so, where there is none. The package is installed into ali-ons/node_modules and
//	           stays there until package-lock.json changes.
//	official   Apache's client for Go, in official/: a module of its own, so that Gantry's go.mod does not get its
//	           dependencies.
//	java       Apache's client for Java, in javaclient/: Maven builds it into a temporary directory, as all that is Java. Needs a
//	           JDK from 11 on, Maven, and, until the jars are in ~/.m2, Maven Central; left out, loudly, where there is none.
//
// # How a peer is driven
//
// A peer is a program that runs as a producer or as a consumer. Its last argument is a JSON object (settings). It
// prints one JSON object a line (report): that it is ready, what became of a send, or a message that it was given. A
// producer reads what to send, one JSON object a line (order). The end of its standard input makes either leave in
// order, so none outlives the tests. What it complains of goes to standard error, and is shown if a test fails.
//
// A new peer is such a program and a row in peers (peer_test.go): every test runs with every peer.
//
// # What is tested
//
// Both directions, theirs to ours and ours to theirs, with bodies that are compressed and bodies that cannot be,
// tags, keys, properties, batches, and many messages; refusals; filters, also by tags whose hashes collide; groups
// that share queues; committed offsets, across a restart of a consumer and between their clients and ours; name
// servers from a list and from an HTTP endpoint, with one that is away; and a broker that is killed under load.
//
// # Store directories
//
// A directory of Gantry's package store and one of Apache's rocketmq-store (Java) are the same, so they can be moved either
// way. store_test.go lets the two open one directory in turn, after orderly ends and after crashes (Runtime.halt, SIGKILL), and
// compares every record byte by byte, every queue entry, and every answer to a query by key with what was put. The Java side is
// a program in javastore/, which Maven builds into a temporary directory. That needs a JDK from 11 on, Maven, and, until the
// jars are in ~/.m2, Maven Central; without java or mvn on the PATH the tests are left out, and say so. The release is in
// javastore/pom.xml; ROCKETMQ_VERSION=5.5.1 in the environment tests another one. A Java store takes three seconds to close.
// Not compared: consume queue extensions, batch queues, light queues, timer files, RocksDB, and what a loss of power does to Java's mappings.
//
// # The Java client
//
// Beyond what every peer does, TestJavaClient asks Apache's Java client for all that it can do, with a name server and two brokers of
// Gantry's: the program in javaclient/ then takes calls (class Call), each a line of JSON, that run side by side until they end or are
// stopped. TestJavaAdmin runs the commands of Apache's mqadmin, which javaadmin/ does in one process, as each start takes seconds.
// TestJavaPop lets Java's push consumers pop (setClientRebalance(false)), from a broker that is killed, too; TestOurPopAtApache is the other direction.
// In popdirectory_test.go a broker of ours and one of Apache's have one directory in turn, with messages in flight.
// TestOurClientAtApache is the other direction: Apache's name server and broker are started from the same jars, and Gantry's client
// library and `gantry admin` do to them what the Java client does to ours, with the Java client as a second judge.
//
// # Masters and slaves
//
// In copies_test.go a slave of ours follows a master of Apache's, and the other way round; then the master is killed and the slave, started as a
// master on its directory, takes its place. The logs are compared byte by byte, and a group goes on where it was, with what was delayed.
//
// # The table
//
// A test says with covers which rows (capabilities_test.go) it shows for which column. What became of it goes to results/results.jsonl
// at the end of a run. `go test -tags interop -run TestTheTableIsWrittenFromTheResults ./interop -table` writes the table in README.md
// from there.
//
// # What is not covered
//
// The broker does not serve these yet, so nothing here asks for them: transactional and recalled messages.
//
// # Who owns what
//
// The binary and the peers are made once for all tests. Each test has processes and directories of its own, so tests run
// side by side; their processes are killed when it ends. Tests that start virtual machines take turns (takeJavaTurn), so that there are
// never more than three. All addresses are on loopback.
//
// # Files
//
//	doc.go              this
//	main_test.go        the binary and other programs that are built, leaks
//	process_test.go     one process, with its standard input
//	cluster_test.go     name servers and a broker
//	ours_test.go        Gantry's client library as the judge
//	peer_test.go        the peers, and running one
//	install_test.go     installing and building them
//	words_test.go       the words they are spoken to with
//	roles_test.go       a peer as a producer or a consumer
//	produce_test.go     theirs to ours
//	consume_test.go     ours to theirs, filters
//	group_test.go       sharing queues, going on where the group stopped
//	discovery_test.go   finding name servers
//	crash_test.go       killing the broker
//	java_test.go        building and running what is Java, taking turns
//	javapeer_test.go    the Java client as a peer
//	javacalls_test.go   the Java client as a program that takes calls
//	servers_test.go     a name server and brokers, whosever
//	bench_test.go       what the tests of both directions share: running their parts, what is compared
//	javaclient_test.go  what the Java client can do: sending
//	javapush_test.go    the same: push consumers
//	javapull_test.go    the same: the others, queries, encryption
//	javaaccess_test.go  the same: signed requests, rights
//	javapop_test.go     the same: push consumers that pop
//	javaadmin_test.go   Apache's mqadmin
//	apache_test.go      Apache's servers
//	ourclient_test.go   our client at Apache's servers: sending
//	ourmember_test.go   the same: push consumers
//	ourpull_test.go     the same: the others, queries, encryption
//	ourpop_test.go      the same: consumers that pop
//	copies_test.go      masters and slaves, ours and Apache's
//	popdirectory_test.go one directory with messages in flight, our broker and Apache's in turn
//	ouradmin_test.go    our admin commands there
//	results_test.go     noting results, writing the table
//	capabilities_test.go its rows and columns
//	store_test.go       one directory, Gantry's store and Java's in turn
//	storecases_test.go  the same: keys in two index files, delayed messages, full files, removed files
//	killedstore_test.go a process that appends until it is killed
//	javastore_test.go   running javastore/
//	ourstore_test.go    opening, reading and filling a directory with Gantry's store
//	letter_test.go      the messages that are put
//	shelf_test.go       what must be in the directory, compared with what was read
//	keyquery_test.go    the same for queries by key
package interop
