// Package client talks to name servers and brokers: producers, pull consumers, administration. It runs over a
// world (package env), which its caller chooses: the facade in the module's root uses the real machine, the
// simulator its own.
//
// # Who owns what
//
// Each Producer, PullConsumer and Admin has a core of its own: one connection to each address, the list of name
// servers, the routes of the topics in use, the table of brokers, and the heartbeats. All of it is used with the
// node's baton held, so there are no locks. Public methods enter through env.Door; they are for goroutines of the
// application, and for code run by Offload, never for a task that holds the baton.
//
// Code of the application (callbacks, selectors, resolvers) runs without the baton, and may call this
// package again.
//
// # Which calls wait
//
// All public methods may wait, for as long as their context and their timeout allow; constructors do not. Waiting is
// over when the context is, and the error says so.
//
// # What is durable when a call returns
//
// Send and SendBatch return a result when a master has stored the message as safely as SendResult.Status says. With an
// error the message may be stored all the same: SendError.MaybeStored. SendOneway and CommitOneway promise nothing. A
// message that was tried more than once may be stored more than once.
//
// # The way of a message
//
//	Producer.Send → begin (the door) → prepare (checks, header, properties, compression) → deliver:
//	  firstTarget (route, queue) → identify (unique id) → attempt → exchange → transport.Conn.Start
//	  → exchange.Complete → result, or judge → nextTarget → attempt …
//
//	PullConsumer.Pull → reader (route, member of the broker) → heartbeats.ensure → transport.Client.Call →
//	  result → decoder.decode (outside the node): unpack, unwrap, filter
//
// # Tasks
//
// A core runs one task that refreshes routes, one for heartbeats and, if the list of name servers may change, one for
// that; besides, tasks that end by themselves: fetches, heartbeats, asynchronous sends. Close ends all of them.
//
// # Not done here
//
// Static topics are refused (ErrNoBroker). Namespaces, access keys, encryption and message traces are not spoken.
//
// # Files
//
//	client.go       the core: entering, deadlines, closing
//	options.go, validate.go   options and what is wrong with them
//	errors.go       errors, and what a failed try means
//	identity.go     client id, unique ids
//	nameserver.go   finding and asking name servers
//	routes.go       the cache of routes
//	publish.go      from a route to queues (pure)
//	brokers.go      the table of brokers, choice of a member
//	heartbeat.go    heartbeats, leaving groups
//	message.go      messages and their checks
//	producer.go     the producer's calls
//	sending.go      one send from the first try to the last
//	exchange.go     one try
//	batch.go, async.go, compress.go, selector.go, result.go   what their names say
//	pull.go, offsets.go, received.go, filter.go   the pull consumer
//	admin.go, admin_topic.go, admin_query.go, admin_config.go     administration
package client
