// Package inflight is the pure part of consumption by pop: which messages of a queue a group has handed out, until when nobody else of the group may
// have them, and by which receipt they are acknowledged (class PopConsumerRecord and the check points of PopMessageProcessor).
//
// # Who owns the state
//
// A State belongs to its caller, who has the node's baton. Nothing here waits, and nothing asks for the time: it is an argument.
//
// # What is durable
//
// Nothing by itself. What happens to messages in flight are events: Popped, Settled, Hidden, Moved, Forgotten. The broker stores each in its log and
// applies it to the state; whoever applies the same events in the same order has the same state. So a state can be had again after any crash from
// an older one, as Encode has written it, and the events since.
//
// An event that is applied once more, in its order among the ones that follow it, changes nothing: each says what is, not what is added. So a saved
// state may know some of the events already that are read after it.
//
// # A message's way
//
// A queue has a number Next. Messages behind it were never handed out. Of those before it, each is held or settled; only the held ones take
// memory. A hold ends by Settled (it was acknowledged, or became a dead letter), or its time comes and the message is handed out once
// more: by a new Popped, with a new receipt. Floor is the first message that is not settled: what a consumer that pulls would call the offset.
//
// # Files
//
//	state.go   State: queues, holds, and what can be asked of them
//	event.go   the events, and what each does to a state
//	encode.go  events as bytes
//	saved.go   a state as bytes
package inflight
