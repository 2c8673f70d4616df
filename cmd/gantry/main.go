// Gantry is a message broker that speaks RocketMQ's protocol: name server, broker, controller and tools in
// one binary. Called as mqnamesrv, mqbroker, mqcontroller or mqadmin it behaves as that tool.
//
// # Who owns what
//
// Each node (name server, broker, controller, the client behind a tool) lives in a world of its own,
// made here with node/env/osenv. This package reads the command line and the
// configuration, starts nodes, waits for a signal, and prints. It is the only place that
// does: nodes log, and return errors.
//
// # From a command line to a running node
//
//	run            chooses the tool by the name of the program
//	normalise      commandline.Normalise: RocketMQ's spellings become cobra's
//	newBroker      cobra's description of the command; its Run gathers settings
//	config.LoadBroker   defaults, file, flags, machine
//	RunBroker      makes the world and the broker, prints, waits for the end, closes
//	explain        turns an error into a cause, a fix and an exit code
//
// # Output
//
// Standard output carries what was asked for, and for nodes what they announce at start. Everything else, logs and
// errors, goes to standard error. Exit codes: 0 all well, 1 it failed, 2 the command line
// or configuration is wrong, 3 some brokers did and some did not, 4 nobody could be reached; and of inspect check: 5 a crash
// left something that the next start puts in order, 6 something is damaged.
//
// # Files
//
//	main.go          the entry
//	run.go           program names, exit codes
//	root.go          the tree of commands
//	usage.go         help texts
//	flag_error.go    values that options cannot have
//	console.go       where a command reads and writes
//	failure.go       causes and fixes
//	logging.go       zap on standard error
//	signals.go       one signal stops in order, a second at once
//	machine.go       host name, home, address
//	node.go          what all nodes need: flags, start, stop, Output
//	namesrv.go       gantry namesrv, RunNameServer
//	broker.go        gantry broker, RunBroker
//	controller.go    gantry controller, RunController, and the controller in a name server's process
//	watch.go         the port by which a process is watched: monitor, with the nodes that it visits
//	settings_file.go what tools change of a running broker's settings
//	standalone.go    gantry standalone, RunStandalone
//	selftest.go      a thousand messages through a fresh standalone
//	session.go       a tool's connection to a cluster
//	version.go       gantry version
//	admin*.go        gantry admin: one file for each family of commands
//	list_file.go     files that list settings of topics or groups
//	fanout.go        asking and telling several brokers, and which of them failed
//	doctor*.go       what gantry admin doctor makes of what it has seen (pure)
//	inspect*.go      gantry inspect: the files of a broker, one file for each command
//	view*.go         what the commands show, as tables and as JSON
package main

import "os"

func main() {
	os.Exit(run(os.Args, systemConsole()))
}
