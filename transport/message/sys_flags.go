package message

import (
	"strconv"
	"strings"
)

// SysFlags are the bits by which brokers and clients tell each other about one
// message ("sysFlag"; class MessageSysFlag). Applications do not see them; their
// own number is UserFlags.
type SysFlags uint32

// The bits. Transaction and compression type are small numbers inside the word; see
// the methods.
const (
	FlagCompressed    SysFlags = 0x1  // COMPRESSED_FLAG: the body is compressed
	FlagMultiTags     SysFlags = 0x2  // MULTI_TAGS_FLAG: the topic filters by several tags
	FlagBornHostIPv6  SysFlags = 0x10 // BORNHOST_V6_FLAG: the born host takes 20 bytes, not 8
	FlagStoreHostIPv6 SysFlags = 0x20 // STOREHOSTADDRESS_V6_FLAG: the store host takes 20 bytes, not 8
	FlagNeedsUnwrap   SysFlags = 0x40 // NEED_UNWRAP_FLAG: the body is a batch a consumer must unwrap
	FlagInnerBatch    SysFlags = 0x80 // INNER_BATCH_FLAG: the record counts as several messages

	transactionMask  SysFlags = 0xC
	compressionMask  SysFlags = 0x700
	compressionShift          = 8
)

// Compressed reports whether the body is compressed.
func (f SysFlags) Compressed() bool { return f&FlagCompressed != 0 }

// MultiTags reports whether the topic filters by several tags.
func (f SysFlags) MultiTags() bool { return f&FlagMultiTags != 0 }

// BornHostIPv6 reports whether the born host takes 20 bytes, not 8.
func (f SysFlags) BornHostIPv6() bool { return f&FlagBornHostIPv6 != 0 }

// StoreHostIPv6 reports whether the store host takes 20 bytes, not 8.
func (f SysFlags) StoreHostIPv6() bool { return f&FlagStoreHostIPv6 != 0 }

// NeedsUnwrap reports whether a consumer must unwrap the body as a batch.
func (f SysFlags) NeedsUnwrap() bool { return f&FlagNeedsUnwrap != 0 }

// InnerBatch reports whether the record counts as several messages of its queue.
func (f SysFlags) InnerBatch() bool { return f&FlagInnerBatch != 0 }

// Transaction returns the part the message plays in a transaction.
func (f SysFlags) Transaction() Transaction { return Transaction(f & transactionMask) }

// WithTransaction returns f with another transaction type.
func (f SysFlags) WithTransaction(t Transaction) SysFlags {
	return f&^transactionMask | SysFlags(t)&transactionMask
}

// Compression returns the compression type. It means something only if Compressed.
// The number 0, which old clients leave, is zlib.
func (f SysFlags) Compression() Compression {
	if c := Compression(f & compressionMask >> compressionShift); c != 0 {
		return c
	}
	return CompressionZlib
}

// WithCompression returns f with the compressed bit set and the given type.
func (f SysFlags) WithCompression(c Compression) SysFlags {
	return f&^compressionMask | FlagCompressed | SysFlags(c)<<compressionShift&compressionMask
}

// WithoutCompression returns f as it is for a body that is not compressed.
func (f SysFlags) WithoutCompression() SysFlags {
	return f &^ (compressionMask | FlagCompressed)
}

// String lists what is set, as in "compressed zstd|prepared", or "none".
func (f SysFlags) String() string {
	var words []string
	if f.Compressed() {
		words = append(words, "compressed "+f.Compression().String())
	}
	if t := f.Transaction(); t != TransactionNone {
		words = append(words, t.String())
	}
	for _, n := range sysFlagNames {
		if f&n.flag != 0 {
			words = append(words, n.name)
		}
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, "|")
}

var sysFlagNames = []struct {
	flag SysFlags
	name string
}{
	{FlagMultiTags, "multi tags"},
	{FlagBornHostIPv6, "born host IPv6"},
	{FlagStoreHostIPv6, "store host IPv6"},
	{FlagNeedsUnwrap, "needs unwrap"},
	{FlagInnerBatch, "inner batch"},
}

// Transaction is the part a message plays in a transaction: bits 2 and 3 of the
// system flags, in place.
type Transaction uint32

// The transaction types.
const (
	TransactionNone       Transaction = 0x0 // TRANSACTION_NOT_TYPE
	TransactionPrepared   Transaction = 0x4 // TRANSACTION_PREPARED_TYPE: a half message, not to be shown
	TransactionCommitted  Transaction = 0x8 // TRANSACTION_COMMIT_TYPE
	TransactionRolledBack Transaction = 0xC // TRANSACTION_ROLLBACK_TYPE
)

// String names the transaction type.
func (t Transaction) String() string {
	switch t {
	case TransactionNone:
		return "no transaction"
	case TransactionPrepared:
		return "prepared"
	case TransactionCommitted:
		return "committed"
	case TransactionRolledBack:
		return "rolled back"
	}
	return "transaction type " + strconv.Itoa(int(t))
}

// Compression is how a body is compressed: bits 8 to 10 of the system flags
// (class CompressionType).
type Compression uint8

// The compression types. The numbers 4 to 7 have no meaning; a body that carries
// one cannot be read.
const (
	CompressionLZ4  Compression = 1 // the LZ4 frame format
	CompressionZstd Compression = 2 // a zstd frame
	CompressionZlib Compression = 3 // RFC 1950; the only one that every client can read
)

// String names the compression type.
func (c Compression) String() string {
	switch c {
	case CompressionLZ4:
		return "lz4"
	case CompressionZstd:
		return "zstd"
	case CompressionZlib:
		return "zlib"
	}
	return "compression type " + strconv.Itoa(int(c))
}
