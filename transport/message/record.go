package message

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
)

// Magic is the second word of everything in a commit log and says how to read on.
type Magic uint32

// The magic numbers (MESSAGE_MAGIC_CODE, MESSAGE_MAGIC_CODE_V2, BLANK_MAGIC_CODE).
const (
	MagicV1        Magic = 0xDAA320A7 // a record whose topic length takes one byte
	MagicV2        Magic = 0xDAA320AB // a record whose topic length takes two bytes; only Java 5 clients can read it
	MagicEndOfFile Magic = 0xCBD43194 // no record: the rest of this file is unused; never sent to clients
)

// String names the magic.
func (m Magic) String() string {
	switch m {
	case MagicV1:
		return "v1"
	case MagicV2:
		return "v2"
	case MagicEndOfFile:
		return "end of file"
	}
	return "0x" + strconv.FormatUint(uint64(m), 16)
}

// Limits that follow from the widths of the length fields.
const (
	TopicLengthMaxV1    = math.MaxInt8  // bytes; a longer topic makes the record v2, because readers take the length byte as signed
	TopicLengthMax      = math.MaxInt16 // bytes
	PropertiesLengthMax = math.MaxInt16 // bytes, encoded
	recordSizeMax       = math.MaxInt32 // bytes
)

// Positions of the fields up to the born host. Behind it they depend on the
// widths of the hosts.
const (
	sizeAt        = 0
	magicAt       = 4
	bodyCRCAt     = 8
	queueIDAt     = 12
	userFlagsAt   = 16
	queueOffsetAt = 20
	logOffsetAt   = 28
	sysFlagsAt    = 36
	bornAtAt      = 40
	bornHostAt    = 48

	// The bytes of a v1 record with IPv4 hosts, an empty topic, no body and no properties.
	recordSizeMin = 91
)

// Record is one message as it is stored and delivered (class MessageExtBrokerInner
// when written, MessageExt when read; the layout is that of MessageDecoder).
type Record struct {
	TotalSize int32  // bytes of the record; set by decoding, computed by encoding
	Magic     Magic  // MagicV1 or MagicV2; set by decoding, computed by encoding
	BodyCRC   uint32 // CRC-32 (IEEE) of Body, top bit cleared; set by decoding, computed by encoding

	QueueID     int32
	UserFlags   int32 // "flag": a number of the application
	QueueOffset QueueOffset
	LogOffset   LogOffset // "physicalOffset": of this record's first byte
	SysFlags    SysFlags  // encoding sets the two host bits from the hosts

	BornAt   int64          // "bornTimestamp": wall milliseconds of the sender
	BornHost netip.AddrPort // of the sender; an IPv4 address in IPv6 form is written as IPv6, so unmap it first
	// "storeTimestamp": wall milliseconds of the broker, taken when the place in the log was decided.
	StoredAt  int64
	StoreHost netip.AddrPort // the address the broker advertises; part of the OffsetID

	Redeliveries int32     // "reconsumeTimes": how often the message was sent back
	PreparedAt   LogOffset // "preparedTransactionOffset": of the half message, 0 if none

	Body       []byte // as stored, so compressed if SysFlags says so
	Topic      []byte // UTF-8, 1 to TopicLengthMax bytes
	Properties []byte // encoded, see PropertyBytes; at most PropertiesLengthMax bytes
}

// String describes the record in one line, without its body.
func (r *Record) String() string {
	return fmt.Sprintf("record of %s queue %d: %v, %v, %d body bytes, flags %v",
		r.Topic, r.QueueID, r.QueueOffset, r.LogOffset, len(r.Body), r.SysFlags)
}

// OffsetID returns the identifier of the stored record ("offsetMsgId").
func (r *Record) OffsetID() OffsetID { return OffsetID{r.StoreHost, r.LogOffset} }

// Size returns the number of bytes AppendRecord will write, or an error that names
// the field that breaks a limit.
func (r *Record) Size() (int, error) {
	return RecordSize(len(r.Body), len(r.Topic), len(r.Properties), r.hostFlags())
}

// hostFlags returns SysFlags with the two host bits as the hosts demand them.
func (r *Record) hostFlags() SysFlags {
	flags := r.SysFlags &^ (FlagBornHostIPv6 | FlagStoreHostIPv6)
	if !r.BornHost.Addr().Is4() {
		flags |= FlagBornHostIPv6
	}
	if !r.StoreHost.Addr().Is4() {
		flags |= FlagStoreHostIPv6
	}
	return flags
}

// RecordSize returns the bytes of a record whose body, topic and encoded properties
// have the given lengths in bytes and whose hosts have the widths that flags says.
// The errors are ErrTopicLength, ErrPropertiesLength and ErrBodyLength.
func RecordSize(bodyLength, topicLength, propertiesLength int, flags SysFlags) (int, error) {
	if topicLength < 1 || topicLength > TopicLengthMax {
		return 0, fmt.Errorf("%w: %d bytes, allowed 1 to %d", ErrTopicLength, topicLength, TopicLengthMax)
	}
	if propertiesLength > PropertiesLengthMax {
		return 0, fmt.Errorf("%w: %d bytes, at most %d; send fewer or shorter ones",
			ErrPropertiesLength, propertiesLength, PropertiesLengthMax)
	}
	around := recordSizeMin + topicLength + propertiesLength + hostsExtra(flags)
	if topicLength > TopicLengthMaxV1 {
		around++
	}
	if bodyLength > recordSizeMax-around {
		return 0, fmt.Errorf("%w: %d bytes, at most %d", ErrBodyLength, bodyLength, recordSizeMax-around)
	}
	return around + bodyLength, nil
}
