// Package proto holds the words of the protocol: codes, typed headers, bodies, names.
// The protocol's spelling of a thing stands here and in package wire, and nowhere else;
// the rest of the module speaks of proto.SendMessage.DefaultQueues, not of "d".
//
// # State, waiting, durability
//
// Everything here is a value or a function of its arguments. There is no state, no call
// waits, nothing is durable. Values are not guarded: who shares one between tasks makes
// sure nobody changes it. Decoding copies what it keeps, so no result borrows from a frame.
//
// # Headers
//
// A header class of the protocol is a struct with whole names. Pointers to it are a
// Header: EncodeFields writes its "extFields" into a frame that a wire.Encoder builds,
// DecodeFields reads them from a decoded command. Both are written out by hand, because a
// send decodes and encodes one each and reflection would cost more than the rest of the
// request. The comment of each struct names the class, that of each field the key.
//
// One header is written in two ways: SendMessage with whole names, SendMessage.Short with
// letters. DecodeSendMessage picks by code.
//
//	frame → wire.Limits.Decode → DecodeFields → typed header
//	typed header → EncodeFields → wire.Encoder → frame
//
// Required fields that are missing are an error that names the field; optional fields that
// cannot be read count as absent, as they do for Java peers.
//
// # Bodies
//
// Bodies are JSON in the dialect of one Java library, fastjson: map keys may be bare
// numbers or whole objects, and clients add liberties of their own. Reading is in two steps:
//
//	body → Strict (dialect to JSON) → encoding/json with loose leaf types → struct
//
// The loose types (body.go) take numbers for strings and strings for numbers, as Java
// peers do. Everything that a map would put in no order comes out as a sorted slice, so that whoever walks
// over it does the same in each run.
//
// Writing goes through writer, which is compact, alphabetical and leaves out what is
// null, as Java peers write. A Form chooses between fastjson's keys and strict ones where
// readers differ: see RouteForm, TopicStatsTable.Marshal, ConsumeStats.Marshal, ResetOffsets.Marshal.
//
// What a stranger sends is bounded in every way: text grows by a constant factor at most,
// nesting is limited, inflated sizes and counts are checked before memory is asked for.
//
// # Files
//
//	request_codes.go, request_names.go, response_codes.go   the codes and their names; request_codes_own.go those that are Gantry's own
//	header.go, field.go, field_list.go        the interfaces, reading and writing of fields
//	header_send.go             sends and their answer
//	header_pull.go             pulls and their answer
//	header_offset.go           consumer offsets, queue bounds
//	header_query.go            look-up of messages by place and by key
//	header_client.go           heartbeats and membership
//	header_redeliver.go, header_transaction.go, header_reply.go   what clients send besides
//	header_pop.go, header_ack.go, header_notification.go          consumption by pop
//	pop_receipt.go, pop_info.go               receipts of popped messages, offsets of a pop
//	header_reset.go, header_group_offset.go                       offsets of groups, for tools
//	header_members.go, header_consume.go                          members and progress, for tools
//	header_topic.go, header_topic_config.go   topics and configuration of a broker
//	header_group.go            consumer groups of a broker
//	header_broker.go           registration and heartbeats of brokers
//	header_controller.go, header_master.go, header_sync_state.go, header_controllers.go   what brokers, tools and controllers ask of controllers
//	header_route.go, header_kv.go   the other requests to a name server
//	header_acl_config.go, header_auth.go, acl_config.go, user_info.go, acl_info.go   who may do what
//	strict.go, strict_token.go, strict_reference.go   the dialect
//	writer.go, body.go, enum.go     tools of the bodies
//	queue.go, data_version.go, topic_config.go, topic_table.go, topic_mapping.go,
//	register_broker.go, register_packed.go, route.go, cluster.go, lists.go,
//	topic_stats.go, reset_offset.go, subscription.go, heartbeat.go   the bodies
//	group_config.go, retry_policy.go, group_table.go, group_forbidden.go, group_subscription.go,
//	topic_config_mapping.go, config_list.go, group_list.go, offset_table.go, correction.go   bodies about settings and offsets
//	consume_stats.go, consume_stats_list.go, consumer_status.go, time_span.go, consume_queue.go, stats_data.go   about progress
//	connection.go, producers.go, running_info.go, process_queue.go, consume_rates.go, directly.go   about members
//	lock.go, assignment.go, request_mode.go, batch_ack.go      about who gets which queue and how
//	sync_state.go              about in-sync sets
//	config_text.go             configuration as properties text
//	perm.go, names.go, name_order.go, validate.go, tag_hash.go   rules about topics, groups and tags
//	describe.go                commands for logs
package proto
