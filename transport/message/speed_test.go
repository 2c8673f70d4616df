package message

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// kilobyteRecord is a record like those of a busy broker.
func kilobyteRecord() *Record {
	return &Record{
		QueueID: 3, BornAt: 1700000000000, StoredAt: 1700000000001,
		BornHost: netip.MustParseAddrPort("10.0.0.1:40000"), StoreHost: netip.MustParseAddrPort("10.0.0.2:10911"),
		Body: bytes.Repeat([]byte{'x'}, 1024), Topic: []byte("BenchmarkTopic"),
		Properties: []byte("KEYS\x01order-123456\x02UNIQ_KEY\x017F0000012A9F000000000000000003E8\x02CLUSTER\x01DefaultCluster\x02WAIT\x01true\x02TAGS\x01TagA\x02"),
	}
}

func TestTheHotPathDoesNotAllocate(t *testing.T) {
	r := kilobyteRecord()
	raw, err := AppendRecord(nil, r)
	require.NoError(t, err)
	space := make([]byte, 0, 2*len(raw))
	id := UniqueID{Address: r.BornHost.Addr()}
	var into Record
	var sum int64
	for name, f := range map[string]func(){
		"AppendRecord":  func() { space, _ = AppendRecord(space[:0], r) },
		"PatchRecord":   func() { PatchRecord(raw, 1, 2, 3) },
		"DecodeRecord":  func() { _, _ = DecodeRecord(raw, &into, true) },
		"fresh record":  func() { var mine Record; _, _ = DecodeRecord(raw, &mine, true); sum += int64(mine.TotalSize) },
		"PropertyBytes": func() { v, _ := PropertyBytes(r.Properties, PropertyTags); sum += int64(len(v)) },
		"TagHash":       func() { sum += TagHash([]byte("订单TagA")) },
		"IndexKeyHash":  func() { sum += int64(IndexKeyHash(r.Topic, []byte("key"))) },
		"OffsetID":      func() { space = r.OffsetID().Append(space[:0]) },
		"UniqueID":      func() { space = id.Append(space[:0]) },
		"AppendBatchElement": func() {
			e := BatchElement{Body: r.Body, Properties: r.Properties}
			space, _ = AppendBatchElement(space[:0], &e)
		},
		"IndexKeys": func() {
			for key := range IndexKeys(r.Properties) {
				sum += int64(len(key))
			}
		},
		"DecodeRecords": func() {
			for r, err := range DecodeRecords(raw, true) {
				if err == nil {
					sum += int64(r.TotalSize)
				}
			}
		},
	} {
		require.Zero(t, testing.AllocsPerRun(100, f), name)
	}
	require.NotZero(t, sum)
}

func BenchmarkAppendRecord1KiB(b *testing.B) {
	r := kilobyteRecord()
	dst := make([]byte, 0, 2048)
	size, _ := r.Size()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = AppendRecord(dst[:0], r)
	}
}

func benchmarkDecode(b *testing.B, verify bool) {
	raw, _ := AppendRecord(nil, kilobyteRecord())
	var r Record
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeRecord(raw, &r, verify); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeRecord1KiB(b *testing.B)         { benchmarkDecode(b, false) }
func BenchmarkDecodeRecord1KiBVerified(b *testing.B) { benchmarkDecode(b, true) }

func BenchmarkPropertyBytesLastOfFive(b *testing.B) {
	properties := kilobyteRecord().Properties
	b.ReportAllocs()
	for b.Loop() {
		PropertyBytes(properties, PropertyTags)
	}
}

func BenchmarkTagHash(b *testing.B) {
	tag := []byte("TagA")
	for b.Loop() {
		TagHash(tag)
	}
}

func BenchmarkCompress4KiB(b *testing.B) {
	body := bytes.Repeat([]byte("four kilobytes of something "), 150)[:4096]
	for _, kind := range compressions {
		b.Run(kind.String(), func(b *testing.B) {
			var c Compressor
			var dst []byte
			b.SetBytes(4096)
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = c.Append(dst[:0], body, kind, CompressionLevelDefault)
			}
		})
	}
}

func BenchmarkDecompress4KiB(b *testing.B) {
	body := bytes.Repeat([]byte("four kilobytes of something "), 150)[:4096]
	for _, kind := range compressions {
		b.Run(kind.String(), func(b *testing.B) {
			stored, _ := new(Compressor).Append(nil, body, kind, CompressionLevelDefault)
			var d Decompressor
			var dst []byte
			b.SetBytes(4096)
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = d.Append(dst[:0], stored, kind, 1<<20)
			}
		})
	}
}
