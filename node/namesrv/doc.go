// Package namesrv is the name server: brokers tell it that they live and which topics they
// have, clients ask it where the queues of a topic are.
//
// Several name servers of one installation do not know of each other. Each broker registers with
// all of them, each client asks any one. So two of them may disagree for a while, and none of them can say
// who is master where two claim it; that takes a controller.
//
// # Who owns what
//
// A Server owns everything, and is used with its node's baton held. The route table (table) is pure: it
// has no env, the time is an argument, and what must be done about a change is returned, not
// done. Handlers decide by it and answer; two tasks wait: the connections' readers, and one that looks for silent brokers.
//
// # Which calls wait
//
// Server.Start and Server.Close. Of the requests those that change the key-value config, the settings or the write
// permission wait for the disk, and large registrations while they are decoded; meanwhile other
// connections are served.
//
// # What is durable
//
// The key-value config, the settings changed while running, and which broker names lost the write
// permission, each when the answer goes out: a new file takes the place of the old one. Such a change
// counts only here. After an error in its answer it may or may not be there after a restart.
// Routes are not durable: brokers register again within half a minute, and Settings.HoldRoutes makes clients wait for that.
//
// # When a broker is known
//
// From its registration until it unregisters, its connection ends, or it is silent for longer than it said. What comes
// late is recognised by the connection's age: an unregistration, a heartbeat or the
// end of an older connection never removes or keeps a registration that came over a newer one. One id of a group has one
// address: the later state version wins, then the newer connection, and the loser is refused for as
// long as the winner lives.
//
// What a registration says of topics is always taken, whatever its data version, because an update of one topic that was
// lost may have carried the same version. A broker is told to register in full unless its last full
// registration had the version that it asks about.
//
// Clients never see the write permission of a group without a master, or of one that lost it
// (WIPE_WRITE_PERM_OF_BROKER). What the broker registered is kept beside it.
//
// # The data path
//
// transport.Server → Server.serve → the handler of the code (dispatch.go) → table or kvConfig → answer → transport.Reply.
//
// Server.registerBroker → Server.decodeRegistration → table.register → table.admit, table.enter, table.takeTopics → Server.notify.
//
// Server.watch → table.expire, or Server.connectionClosed → table.connectionClosed → table.remove → Server.follow.
//
// # Files
//
//	namesrv.go     the server: start, stop
//	options.go     options and limits
//	settings.go    options that may change while running
//	dispatch.go    from request codes to handlers
//	trust.go       who may do what
//	routes.go      the route table: its parts and small steps
//	admission.go   the route table: which registrations are taken
//	enter.go       the route table: what a registration changes
//	leave.go       the route table: how brokers leave it
//	lookup.go      the route table: what is asked of it
//	register.go    requests of brokers about themselves
//	route.go       routes, clusters, groups
//	topics.go      lists of topics, single topics
//	permission.go  write permission of brokers
//	kv.go          requests about the key-value config
//	kvconfig.go    the key-value config and its file
//	config.go      requests about settings, and their file
//	durable.go     files that are replaced as a whole
//	liveness.go    silent brokers, ended connections, notices
//	measure.go     what monitoring shows
//	describe.go    status, and one line for everything in logs
package namesrv
