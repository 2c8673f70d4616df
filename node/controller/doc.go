// Package controller is the authority that says which broker of a group is master: brokers register and send heartbeats, and one of a few
// controllers, elected by the raft algorithm, decides.
//
// # Who owns what
//
// A Server owns everything, and is used with its node's baton held. What controllers agree upon is the state: pure, changed by commands alone
// (state.go, command.go, apply.go). What one leader has heard of brokers belongs to its reign, which is a time without a break for
// which it was proven to lead; the next reign begins with nothing (watch.go). Who is to be elected is a pure function of both and the time
// (decide.go). The consensus owns raft, its log file and its timing.
//
// # Which calls wait
//
// Server.Start and Server.Close. Of the requests, those that change something wait until most controllers have it on their disks, and some until the
// promises to a master are over; each has a task of its own, so its connection reads on. Heartbeats and questions are answered at once.
//
// # What an answer means
//
// A change that was answered with success was agreed upon, and carried out here. Every other answer shows the state after all changes that anybody was
// told of before the question came: only a leader answers that is proven to be the only one, and has all that was agreed upon before it. Everybody else says
// CONTROLLER_NOT_LEADER (2007), after which a change may still happen.
//
// # What is durable
//
// The log of commands, votes and terms, before anybody hears of them. After an error of the disk nothing is promised any more: the controller stops
// for good (Failed), because nobody knows what is on the disk, and its start reads what is. Settings that tools change are durable when that is answered.
//
// # Why there is one master
//
// Each election raises the master epoch by one, and each incarnation of a broker that is master has an epoch of its own. The answer to a heartbeat
// promises a master that no other one is elected for a while (a lease), counted from when it has sent the heartbeat. So a master that stops serving
// when its lease is over is the only one that serves. A leader keeps the leases that it has granted in mind, and waits for them before each election that it
// proposes; one that begins waits for the longest that one before it can have granted. While an election is under way none is granted.
//
// Only a member of the in-sync set is elected, unless an operator allows otherwise. The set keeps its members through an election; who
// has started again without all that it had leaves it, but for the last one.
//
// # The data path
//
// transport.Server → Server.serve → the handler of the code (dispatch.go) → consensus.propose → raft → consensus.round: journal.append, link →
// … the other controllers … → consensus.applyEntry → Server.apply: state.apply, Server.follow → the answer, notices to brokers, Server.look.
//
// Server.heartbeat → watched.hear, watched.grant → the answer; Server.look → watched.decide → Server.elect → consensus.propose.
//
// Server.raftMessage → consensus.receive → raft → consensus.round.
//
// # Files
//
//	controller.go  the server: start, stop
//	options.go     options and limits
//	settings.go, config.go   options that may change while running, requests about them
//	dispatch.go    from request codes to handlers
//	trust.go       who may do what
//	check.go       what is wrong with fields
//	state.go       what controllers agree upon; command.go: changes of it; apply.go: carrying them out
//	watch.go       what a leader has heard, and what it has promised
//	decide.go      who is to be master
//	elect.go       elections of the leader's own; electmaster.go: those that somebody asks for
//	follow.go      what follows from a change
//	brokers.go     requests of brokers about themselves; groups.go: the others
//	consensus.go   raft: proposals, durability, order; timing.go: its clock; link.go: its messages
//	journal.go     the log file; frame.go: its frames
//	durable.go     files that are replaced as a whole
//	measure.go     what monitoring shows
//	describe.go    status
package controller
