// Package assign shares the queues of a topic among the members of a consumer group (interface
// AllocateMessageQueueStrategy and the classes that implement it).
//
// Each member works out its own share by itself, from the same two lists. Nobody compares the results: members whose lists, order or
// arithmetic differ consume a queue twice, or leave one alone. So everything here gives exactly what Apache's Java client gives,
// odd cases included, and members of one group may be of either kind.
//
// # State, waiting, durability
//
// Everything is a function of its arguments. There is no state, no call waits, nothing is durable. Strategies are
// values that may be used by several at once, as long as nobody changes what they hold. Lists that are handed in are only read, except by
// SortQueues and SortMembers, and results are new.
//
// # The data path
//
//	SortQueues, SortMembers → proto.CompareNames   the order that all members agree on
//	Strategy.Assign → check                  the share of one member
//	Diff                                     from what is held to what is to be held
//
// For groups whose brokers share out the queues: BrokerStrategy → Assign, or ForPop.
//
// # What differs from Java
//
//   - A member that is not in the list gets ErrNotMember. Java logs it and gives nothing, whereupon all queues are
//     dropped; here the caller decides.
//   - ConsistentHash with 0 virtual nodes has the usual 10. In Java nobody would get anything.
//   - Queue ids are compared as numbers. Java subtracts them, which is the same for all ids from 0 up.
//
// # Files
//
//	strategy.go   Strategy, the errors, the checks that all have in common
//	order.go      the order of queues and members
//	average.go    AVG, AVG_BY_CIRCLE
//	hash.go       CONSISTENT_HASH
//	ring.go       the ring of virtual nodes
//	fixed.go      CONFIG
//	rooms.go      MACHINE_ROOM
//	nearby.go     MACHINE_ROOM_NEARBY
//	pop.go        what brokers do for members that pop
//	diff.go       Diff
package assign
