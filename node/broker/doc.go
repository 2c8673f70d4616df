// Package broker is the broker node: it takes messages from producers, keeps them in a
// store, and hands them to consumers (class BrokerController and its processors).
//
// # Who owns the state
//
// A Broker owns its store, its tables of topics, groups, offsets and clients, and its connections. Everything
// runs with the node's baton held; a handler runs as the reader task of the connection its request came by.
//
// # Which calls wait
//
// Start and Close. Handlers wait for the disk when they read or find messages, or make, change or delete topics or groups, and for a name server
// when a member asks for its queues; while one waits, its connection reads no further and all others go on.
//
// # What an answer means
//
//   - To a send: the message is as durable as the store's flush mode promises, and consumers can read it. A topic
//     or group that was made for it is durable.
//   - To a send with a producer and a sequence that came before: the same as the first one was answered, and as true. The message is stored once, whatever
//     crashes, as long as the sequence is in the window of its producer; below it the send is refused.
//   - To a change of a topic: it is durable. Name servers hear of it soon afterwards. A topic that was deleted is gone with its
//     messages and offsets.
//   - To a change of a group or of settings: it is durable, if settings have a file. A group that was deleted with its offsets has neither.
//   - To the commit of an offset: it is durable. Commits that want no answer may be lost in a crash, up to SaveOffsetsEvery. A commit counts
//     only if it comes from the client that has pulled the queue last, and from the owner of its lock if there is one, and if it is not
//     behind the end of the queue.
//     Where a loss of power has taken messages (ASYNC_FLUSH), offsets behind them are set to the end of their queue at the next start.
//   - To a ban (a group is kept from a topic): it is durable, and pulls that are held are refused, too.
//   - To a lock of a queue: who owns it is durable. Nobody else moves the offset while it lasts.
//   - To a reset of offsets: it is durable, and who consumes is told with its next pull. Until then no commit counts.
//   - To a recall: the message was not delivered, and will not be, whatever crashes.
//   - To the end of a transaction: it has that outcome and can have no other; a message that was committed is as durable as one that was sent.
//   - To a pop: nobody else of the group is handed the messages until the time is over, whatever crashes. To an acknowledgement: the message is not delivered
//     any more. To a change of the time: the old receipt is of no use any more.
//   - To a message that comes back: its copy is as durable as a message that was sent.
//   - To a reply: the client who asked has taken it. If the answer has an offset id, the reply is stored, too.
//
// # The data path
//
// In: transport → serve (dispatch.go) → send (send.go) → admitSend → buildRecords → store.Append; after the burst kick →
// store.Kick; sendDone.Appended answers.
//
// Again: send → repeats.admit (repeats.go) → find, in the table of package repeat and among the sends under way → answer or join (repeats_answer.go). New ones: begin →
// store.Append → sendDone.Appended → settle. After a crash repeats.recover (repeats_recover.go) reads the table from its file and the log.
//
// Out: pull (pull.go) → admitPull → wantedBy → answerPull → read (filtered.go) → store.Read, judge → SendDetached; or, with nothing to
// read, waitingPulls.hold (waiting.go) → arrived → answerLoop → answerPull, which holds it again if what came does not match.
//
// Later: send or sendBack (redeliver.go) → delays.retarget → store.Append to the queue of the delay level; when it is due delays.round →
// deliver → store.AppendUntilKnown (delay.go). After a crash delays.recover reads from the log what was delivered.
//
// Replies: sendReply (reply.go) → pushReply → clientTable.producerConn, and store.Append; replyDone answers when both are over.
//
// Subscriptions: heartbeat (clients.go) → consume → memberSubscribes (subscriptions.go) → filterTable.compile (filters.go), compareMembers.
//
// # Files
//
//	broker.go      New, Start, Close
//	options.go     settings
//	fast.go        the main port and the fast one
//	trust.go       who may do what
//	dispatch.go    request code to handler, waiting on behalf of a request
//	send.go        sends
//	pull.go        pulls
//	filtered.go    reading what matches a filter
//	filters.go     compiled expressions, messages that they cannot judge
//	waiting.go     held pulls
//	offsets.go     consumer offsets and queue bounds
//	journal.go     durable single commits
//	progress.go    whose commits count
//	offsets_lost.go offsets of messages that a crash has taken
//	reset.go       offsets that are set by tools
//	locks.go       queues that one member consumes in order
//	delay.go       messages that wait for their delay level
//	delay_cursors.go how far they are delivered
//	timers.go      messages that wait for a time of their own, timers_send.go what asks for one, timers_deliver.go when it has come
//	timers_java.go what a Java broker has delivered of them
//	recall.go      messages that are withdrawn before their time
//	pops.go        what groups have popped and not acknowledged; decided by package inflight
//	pop.go         pops, pop_take.go what they take, pop_answer.go the answer, pop_hold.go pops that wait
//	pop_ack.go     acknowledgements, and receipts that are replaced
//	pop_dead.go    what was popped too often, or cannot be read any more
//	pop_look.go    what takes nothing: notification, peek, how many wait
//	pop_java.go    what a Java broker has in flight, pop_javalog.go what it notes of pops
//	transactions.go which transactions are open, transactions_file.go what is saved of that, transactions_end.go how they end, transactions_check.go whose producers are asked
//	repeats.go     sends that come again, repeats_answer.go what they are told, repeats_recover.go what is known after a start, repeats_measure.go
//	derived.go     what state that comes from the log has in common
//	reply.go       answers to messages, which go to the client who asked
//	redeliver.go   messages that come back, dead letters
//	query.go       messages by place and by key
//	consume_queue.go what a queue says of its messages, for tools
//	topics.go      the topic table
//	attributes.go  what topics may have set, retention
//	groups.go      the group table
//	groups_admin.go groups, for tools
//	clients.go     heartbeats and members
//	subscriptions.go what members subscribe, and where they differ
//	assignment.go  queues of members that leave the division to the broker
//	routes.go      the queues at all brokers, as name servers tell
//	request_modes.go how groups are to get messages
//	forbidden.go   topics that groups are kept from
//	register.go    name servers
//	members.go     who is connected, for tools
//	relay.go       questions of tools that clients answer
//	consume_stats.go how far groups are, for tools
//	consumers.go   who consumes what, copies of offsets, for tools
//	admin.go       topics and settings, for tools
//	settings.go    changes of settings while the broker runs
//	clean.go       cleaning, for tools
//	runtime.go     what tools show of a running broker
//	statistics.go  what goes in and out, statistics_view.go and statistics_runtime.go for tools
//	flow.go        totals and what came of late; pure, the time is an argument
//	latencies.go   how long calls took; pure, likewise
//	measures.go    what is counted for monitoring, on the path of messages
//	measure_take.go  gathering all that is measured, measure_lag.go how far groups are, measure_later.go what is seen later, measure_show.go as
//	metrics, which measure_list.go lists
//	tables.go      the tables as a start would read them, for tools
//	document.go    files of the config directory
//	unique.go      message ids for senders without
package broker
