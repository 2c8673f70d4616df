// Package scenario holds the named simulations: each draws its options from the seed, builds a
// cluster of production nodes, runs clients against it while faults happen (safety phase), heals everything and
// demands progress (liveness phase), and then judges what the clients saw.
//
// A run fails with the first broken promise, and the failure carries the step at which it was noticed. The same
// seed and options give the same run, byte for byte.
//
// Files:
//
//	scenario.go  what a scenario is, the list of them, Execute
//	draw.go      options from the seed
//	pubsub.go    producers and consumers: the safety phase
//	clients.go   their clients, and what is recorded
//	liveness.go  after healing
//	verdict.go   judging the history
//	fleet.go     push consumers: the cluster, producers, and the phases of a run; fleet_member.go: one member, how members come and go
//	orderly.go   consumption in order; orderly_locks.go: clients that ask for locks and commit without regard to them; raw.go: how they speak
//	filters.go   tags and SQL92 expressions
//	broadcast.go broadcasting, and offsets in files
//	longpoll.go  held pulls; longpoll_clients.go: who pulls; longpoll_judge.go: what is right; longpoll_last.go: what is demanded at the end;
//	             longpoll_fleeting.go: a topic that comes and goes;
//	             raw_line.go: many requests on one connection
//	groups.go    groups that share queues; groups_ledger.go: what they have handled and committed, and where resets sent them; groups_quiet.go:
//	             what is demanded when nothing is broken
//	litepull.go  groups whose members poll
//	timer.go     messages that wait for their time
//	delay.go     messages that wait for a delay level of tables that change; delay_judge.go: each against the one that waited for it
//	intruder.go  who wants of brokers what waits
//	transaction.go messages of transactions
//	acl.go       accounts whose rights change; acl_rights.go: what rights mean; acl_accounts.go: what an account may be at a time; acl_deeds.go: what was asked for, and
//	             whether it may be done; acl_admin.go: who changes accounts; acl_workers.go: who uses the library; acl_forge.go, acl_grab.go: who writes
//	             requests by hand; acl_quiet.go: what is demanded at the end
//	retry.go     handlers that fail by a plan; retry_ledger.go: each copy of a message and why there is one; retry_quiet.go: delays to the moment
//	controller.go controllers and the brokers that they command; controller_group.go: what is known of a group, and what may not be; controller_replica.go,
//	             controller_master.go: brokers made by hand; controller_tools.go: tools; controller_judge.go: what is demanded at the end
//	fleet_await.go  small things that both need
//	flow.go      producers that overload brokers; flow_limits.go: limits of brokers and consumers; flow_last.go: pressure without faults
package scenario
