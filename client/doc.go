// Package client talks to name servers and brokers: producers, pull and push consumers, administration. It runs over a
// world (package env), which its caller chooses: the facade in the module's root uses the real machine, the
// simulator its own.
//
// # Who owns what
//
// Each Producer, PullConsumer, PushConsumer, LitePullConsumer, PopConsumer and Admin has a core of its own: one connection to each address, the list of name
// servers, the routes of the topics in use, the table of brokers, and the heartbeats. All of it is used with the
// node's baton held, so there are no locks. Public methods enter through env.Door; they are for goroutines of the
// application, and for code run by Offload, never for a task that holds the baton.
//
// Code of the application (callbacks, handlers, listeners, strategies, selectors, hooks, checks, resolvers) runs without the baton, and may call this
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
// message that was tried more than once is stored once if the broker knows messages that come again (sequence.go), as Gantry's do, and
// may be stored more than once by others.
//
// A message is delivered to a group at least once. What handlers consumed is durable when its offset is stored: within 5 s, when a queue
// is given up, and at Close. Until then a crash means that it comes again. Offsets of broadcasting are durable in a file of this member.
// What a lite pull consumer handed out is consumed when the next Poll begins, and stored like that; with Commit, when that returns.
// What was popped is consumed when the broker has acknowledged it: Ack returns nil then, and handlers of a push consumer that pops have theirs acknowledged
// beside them, by Close at the latest. Until then, and for as long as the message is hidden, nobody else has it; after that it comes again.
//
// A transaction is committed or rolled back for sure when its result, or Commit and Rollback, say so. Until then the half message is as durable as a
// message, and the decision only where the application has put it: the broker asks a producer of the group. A committed message may be delivered
// twice if an answer was lost.
//
// A reply is in the memory of who asked when Request returns, and nowhere else for sure. With an error of Request, somebody may
// have handled the message all the same.
//
// # The way of a message
//
//	Producer.Send → begin (the door) → prepare (checks, header, properties, compression) → deliver:
//	  firstTarget (route, choice.pick) → identify (unique id, sequence) → attempt (hooks, try → meet, showSequence) → exchange → transport.Conn.Start
//	  → exchange.Complete → learn, tracer.published → result, or judge → stay (bound to the broker that may have it) → rest (busy brokers) → nextTarget → attempt …
//
//	Producer.Request → converse → expect (route, client id, correlation id) → deliver, where try → introduce (heartbeat) → wait;
//	  serve (reply.go) → requests.take → unpack, if it is compressed → the caller
//
//	Producer.Transaction → beginTransaction: halfMessage, prepare, transactions.add → deliver → execute (the application's function, outside
//	  the node) → end: a task: withEndHooks → tell → try (END_TRANSACTION), until it is confirmed → transactions.forget, or keep → the caller
//	A broker asks (CHECK_TRANSACTION_STATE): serveCheck → checkOwn, if the transaction is known here; or queueCheck → checkLoop → askListener
//	  (outside the node) → answer (END_TRANSACTION)
//
//	PushConsumer.Reply, Producer.Reply → Reply → prepare → deliver, to the broker of the request first
//
//	PullConsumer.Pull → reader (route, member of the broker) → heartbeats.ensure → transport.Client.Call →
//	  result → decoder.decode (outside the node): unpack, unwrap, filter
//
//	PushConsumer: pullLoop → pull → PullConsumer.result → processQueue.put → dispatch → worker → nextBatch →
//	  handle (outside the node) → settle → processQueue.finish, or redeliver → sendBack → sendToRetryTopic → retryHere;
//	  in order suspendQueue. persistLoop → persistOne → offsetStore.write: the offset of the first unfinished message.
//	  rebalanceLoop → share (members, allocate) → apply: giveUp (unlock, until it is heard), lockNew, takeOn → startOf → hold.
//
//	  With WithBrokerRebalance: share → askAssignment → apply: takeOnPops → hold → popLoop → pop → popper.pop → popQueue.put → dispatch → … →
//	  settle → settlePopped → acknowledge, hideFor, or giveUpMessage (sendBack, then acknowledge).
//
//	PopConsumer.Pop → askAll → ask: a task for each broker → popper.pop → answer (decode outside the node, receipts) → ready → handOut;
//	  Ack → popper.acknowledge; AckAll → batchAcks → sendBatch; ChangeInvisible → popper.hide.
//
//	LitePullConsumer: its engine is a PushConsumer without handler; Poll → consumed → handOut → takeNext, or wait for pullLoop's dispatch.
//	  Subscribe, Assign → rebalanceLoop → share → apply. Seek → restart → startPulling. Commit → persist → persistOne.
//
// # Tasks
//
// A core runs one task that refreshes routes, one for heartbeats and, if the list of name servers may change, one for
// that; a producer may have one that detects when brokers are back, and one that sends message traces over a core of its own, and, if topics were named with a listener for transactions, one until it has found their brokers.
// A push consumer has one that shares out queues, one that stores offsets, one that expires messages or renews locks, and one for each
// queue it holds, which pulls or pops; a pop consumer has one for each pop under way; a lite pull consumer has the same, and one that watches topics if it is asked to. Listeners are called by one more. Besides, there are tasks that end by themselves: fetches, looks at a route that is new, searches for a master, unlocks that a broker has not heard, heartbeats, asynchronous sends, ends of transactions, calls of
// handlers and transaction listeners. Close ends all of them; only callbacks and handlers that do not return can outlive it.
//
// # Not done here
//
// Static topics are refused (ErrNoBroker). Traces tell what lite pull consumers handed out, not what became of it.
//
// # Files
//
//	client.go       the core: entering, deadlines, closing
//	sequence.go     exactly-once sending
//	options.go, options_producer.go, validate.go   options and what is wrong with them
//	tls_options.go  encryption, which the world provides
//	credentials.go  who signs requests
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
//	choice.go, fault.go   which broker is next, from how they served (pure)
//	detector.go     learning how brokers served, finding out that they are back
//	backoff.go      waiting for busy brokers
//	away.go         waiting for the only broker, and for a master
//	hooks.go        what the application runs around each try
//	trace.go        message traces as bytes (pure)
//	tracer.go       sending them
//	trace_consume.go   what they tell of consumers
//	namespace.go    names in namespaces (pure)
//	request.go      requests, which wait for replies
//	reply.go        making, sending and taking replies
//	transaction.go   transactions, from their half message on
//	transaction_end.go   telling brokers how they end
//	transaction_check.go   answering brokers that ask
//	transaction_options.go   listener, bounds and hooks of transactions
//	trace_transaction.go   what traces tell of them
//	batch.go, batch_split.go, async.go, oneway.go, compress.go, selector.go, result.go   what their names say
//	pull.go, offsets.go, received.go, filter.go   the pull consumer
//	push.go, push_close.go   the push consumer's calls
//	push_options.go, push_handler.go   its options, its handlers and what their errors ask for
//	processqueue.go   messages between pull and commit (pure)
//	push_queue.go     a queue that is held
//	push_pull.go      pulling it
//	push_consume.go   calling handlers, and what follows
//	push_back.go      messages that come again
//	push_orderly.go, push_locks.go   consumption in order
//	push_messages.go  loops instead of handlers
//	rebalance.go, push_apply.go   sharing out queues; package assign has the strategies
//	push_from.go, push_offsets.go, localoffsets.go   where to begin, offsets at brokers and in a file
//	push_check.go     filters that brokers must be able to evaluate
//	push_serve.go, push_info.go, push_rates.go   what brokers and tools ask a consumer
//	litepull.go, litepull_options.go   the lite pull consumer: its queues, its options
//	litepull_poll.go, litepull_seek.go, litepull_commit.go, litepull_watch.go   what it can do with them
//	push_listen.go    listeners
//	pop.go, pop_message.go   pops, receipts and what is told of them
//	popconsumer.go, popconsumer_ask.go, popconsumer_ack.go   the pop consumer: its calls, its pops, its acknowledgements
//	pop_batch.go, pop_options.go   many acknowledgements as one, options
//	push_assign.go, push_pop.go   queues that brokers assign, popping them
//	popqueue.go       messages between pop and acknowledgement (pure)
//	admin.go, admin_topic.go, admin_query.go, admin_config.go, admin_brokers.go, admin_group.go, admin_member.go,
//	admin_offset.go, admin_stats.go, admin_names.go, admin_list.go, admin_entries.go, admin_rights.go,
//	admin_auth.go, admin_controller.go     administration
package client
