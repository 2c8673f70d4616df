// Package wire turns bytes of the remoting protocol into commands and back (classes
// RemotingCommand, RocketMQSerializable). It knows frames and headers; what a code, a
// field or a body means is the business of package proto. FORMAT.md shows every byte.
//
// # State
//
// There is none. Everything is a function of its arguments or a value the caller owns,
// so any number of tasks may use the package, each with its own Command and Encoder.
// No call waits, nothing is durable, nothing depends on time, chance or the machine.
//
// # Borrowing
//
// A decoded Command points into the frame it came from. Decoding resolves JSON escapes
// inside the frame, so the frame must be the decoder's to change, and is decoded once.
// Whoever keeps a command beyond the life of the frame calls Clone. A Command that is
// decoded into again and again needs no memory of its own, except for a Remark.
//
// # Strange peers
//
// Decode is lenient where a client is known to be odd (numbers or booleans as values of
// fields, numbers in quotes, white space behind the header, unknown members, unknown
// languages) and strict elsewhere, for a wrong length makes all later bytes wrong. It
// does not panic whatever it is given, and asks for no memory before Limits allow it.
// Encoding is narrow: what is written is what every checked client reads.
//
// # Data path
//
// In: Limits.FrameSize (how many bytes to gather), Limits.Decode, decodeJSON or
// decodeBinary, Fields.Get.
//
// Out: Begin, Encoder.String / Int / Bool / Bytes, Encoder.End or EndDetached; or
// AppendCommand, which is the same for a Command at hand; Limits.CheckSize before sending.
//
// # Files
//
//	command.go        Header, Command, Fields
//	language.go       the languages peers report
//	version.go        the numbers of releases, and at which ones peers change
//	limits.go         bounds, and the errors
//	frame.go          length words; decoding starts here
//	header_json.go    members of the JSON header
//	json_scan.go      walking through JSON without building anything
//	json_unquote.go   strings of JSON, escapes resolved in place
//	header_binary.go  the ROCKETMQ header, and POP codes cut to 16 bits
//	encoder.go        writing a frame field by field
//	json_quote.go     strings of JSON, escaped
//	append.go         writing a whole Command
//	describe.go       one line for logs
//	testdata          frames as commented bytes: canonical are those we write too
package wire
