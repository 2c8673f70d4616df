// Package chaos runs a whole group of brokers as processes, each machine in a network namespace of its own, breaks things, and measures how long nobody
// can send, and whether anything that was acknowledged is gone. The simulator explores many more histories; this package asks whether what it
// says of fail-over holds on a real kernel, with real processes, sockets and disks.
//
//	make chaos-short        kill -9 of the master only, about two minutes
//	make chaos              every fault, with two and with three brokers, about eight minutes
//	make chaos JSON=file    the figures for scripts as well
//
// It needs Linux, root, ip from iproute2, mkfs.ext4, mount and loop devices. Without GANTRY_CHAOS in the environment all is skipped.
//
// # The machines
//
// Three name servers, each with a controller in its process, two or three brokers of one group, and a client, which is the test itself: TestMain
// builds the network and starts the test binary once more inside the client's namespace. Each machine has one link to a bridge, which is
// in a namespace of its own, so nothing is changed in the network of the machine that the test runs on. Brokers have file systems of their own,
// small ones, in files that are mounted, so that a disk can be filled.
//
// # How links break
//
// Every machine knows the hardware address of every other one, for good. A direction is cut by giving the sender one that nobody has: frames vanish and
// nobody is told, as with a broken switch. For latency and loss the link of a machine is taken off the bridge, and a relay (this binary again) carries
// its frames. So neither netem nor a packet filter is needed, which not all kernels have.
//
// # What is measured
//
// Clients send and read all the time, with the library as it stands, and each operation is recorded with its times. The time of a fail-over goes from the
// moment before the fault is made to the first acknowledgement of a send that began when it was there. The pause is the longest time without an acknowledgement until
// the group is whole again; it also shows what comes later. Clients share the machine with everything else, so the load is printed beside.
//
// # What is demanded
//
// After each fault the group must become whole. Then the queues are read, and the history of the round is judged as the simulator judges
// its own (package oracle). At the end of all rounds everything is read once more, and the whole history is judged. A message that was acknowledged and is not there
// fails the run, and so does one that is there twice, or a history that no order explains. Another master must serve within 3 s after one was killed or told to stop,
// and within 4 s after one was stopped (SIGSTOP) or parted from the others, while it still is.
//
// # Files
//
//	doc.go            this
//	main_test.go      the processes of the test itself
//	needs_test.go     what a machine must have
//	network_test.go   namespaces, links, cutting them
//	relay_test.go     latency and loss
//	disks_test.go     small file systems
//	group_test.go     name servers and brokers, who is master
//	clients_test.go   all clients, producers, and what is recorded
//	readers_test.go   consumers
//	faults_test.go    the faults
//	round_test.go     one fault, from a whole group to a whole group
//	judge_test.go     what was lost, stored twice, or cannot be explained
//	figures_test.go   the table, the file for scripts
//	chaos_test.go     the runs
//	measure_test.go   tests of what measures
package chaos
