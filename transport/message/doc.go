// Package message holds the message record: the bytes of one message as they
// stand in the commit log and, unchanged, in the body of a pull reply.
//
// Everything here is a pure function of its arguments. No call waits, nothing
// is remembered between calls, and no function keeps a slice it was given
// beyond the lifetime its comment states. The two exceptions hold scratch
// memory only: Compressor and Decompressor.
//
// # Who owns what
//
// Decoding borrows: a decoded Record, BatchElement or property points into the
// bytes it came from and lives as long as those. Encoding appends to a slice of
// the caller and returns it, grown if need be. Nothing here is durable; the
// store decides that.
//
// # The way of a message
//
//	Message                 what an application sends
//	Properties.Append       its properties as text
//	Compressor.Append       its body, if it is large
//	AppendRecord            the record, made before the place in the log is known
//	PatchRecord             the three fields that are known only under the append
//	AppendEndOfFile         what ends a file of the log when a record does not fit
//	DecodeRecord(s)         the record again: recovery, dispatch, consumers
//	PropertyBytes, TagHash  what dispatch asks of it
//	Decompressor.Body       the body as the application sent it
//
// # Files
//
//	message.go          Message
//	offset.go           LogOffset, QueueOffset
//	sys_flags.go        SysFlags, Transaction, Compression
//	record.go           Record, its layout and limits
//	encode.go           AppendRecord, PatchRecord
//	decode.go           DecodeRecord, DecodeRecords
//	peek.go             single fields of a record that is not decoded
//	end_of_file.go      the marker that ends a file of the log
//	host.go             addresses inside a record
//	property.go         properties as encoded text
//	property_list.go    Properties, the list an application edits
//	property_names.go   every name the protocol gives a meaning
//	batch.go            the body of a batch send
//	offset_id.go        OffsetID: store host and log offset
//	unique_id.go        UniqueID: made by the client
//	hash.go             HashCode, TagHash, IndexKeyHash
//	index_key.go        the keys a message is found by
//	compression.go      body compression
//	errors.go           the errors
package message
