package message

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSysFlagsHaveTheProtocolsNumbers(t *testing.T) {
	require.Equal(t, SysFlags(0x301), SysFlags(0).WithCompression(CompressionZlib))
	require.Equal(t, SysFlags(0x101), SysFlags(0).WithCompression(CompressionLZ4))
	require.Equal(t, SysFlags(0x201), SysFlags(0x301).WithCompression(CompressionZstd))
	require.Equal(t, SysFlags(0x4), SysFlags(0x301|0x4).WithoutCompression())
	require.Equal(t, CompressionZlib, SysFlags(1).Compression(), "old clients leave the type 0")
	require.Equal(t, Compression(4), SysFlags(0x401).Compression())

	for transaction, bits := range map[Transaction]SysFlags{
		TransactionNone: 0, TransactionPrepared: 4, TransactionCommitted: 8, TransactionRolledBack: 12,
	} {
		require.Equal(t, bits|0x33, SysFlags(0x3F).WithTransaction(transaction), transaction.String())
		require.Equal(t, transaction, (bits | 0x33).Transaction())
	}
}

func TestEachSysFlagIsItsOwnBit(t *testing.T) {
	for bit, is := range map[SysFlags]func(SysFlags) bool{
		0x1: SysFlags.Compressed, 0x2: SysFlags.MultiTags, 0x10: SysFlags.BornHostIPv6,
		0x20: SysFlags.StoreHostIPv6, 0x40: SysFlags.NeedsUnwrap, 0x80: SysFlags.InnerBatch,
	} {
		require.True(t, is(bit), "%#x", uint32(bit))
		require.False(t, is(^bit), "%#x", uint32(bit))
	}
}

func TestSysFlagsDescribeThemselves(t *testing.T) {
	require.Equal(t, "none", SysFlags(0).String())
	require.Equal(t, "compressed compression type 7|rolled back|multi tags|born host IPv6|store host IPv6|needs unwrap|inner batch",
		SysFlags(0x7FF).String())
	require.Equal(t, "compressed lz4|committed", SysFlags(0x109).String())
	require.Equal(t, "transaction type 1", Transaction(1).String())
	require.Equal(t, "no transaction", TransactionNone.String())
}
