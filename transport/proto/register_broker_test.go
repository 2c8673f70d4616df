package proto

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/klauspost/compress/zlib"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gantrymq/gantry/transport/wire"
)

const topicT = `{"attributes":{},"order":false,"perm":6,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":8}`

// table4 is what 4.x brokers send, table5 what 5.x brokers do.
const (
	table4 = `{"dataVersion":{"counter":3,"stateVersion":0,"timestamp":1700000000000},"topicConfigTable":{"T":` + topicT + `}}`
	table5 = `{"dataVersion":{"counter":3,"stateVersion":0,"timestamp":1700000000000},` +
		`"mappingDataVersion":{"counter":1,"stateVersion":0,"timestamp":5},"topicConfigTable":{"T":` + topicT + `},` +
		`"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}`
)

func sampleTable() TopicTable {
	return TopicTable{
		Version: DataVersion{Counter: 3, Timestamp: 1700000000000},
		Topics:  []TopicConfig{{Name: "T", ReadQueues: 8, WriteQueues: 8, Perm: PermReadWrite, Attributes: map[string]string{}}},
	}
}

func TestRegistrationAsJSON(t *testing.T) {
	five := sampleTable()
	five.Mappings = &MappingTable{Version: DataVersion{Counter: 1, Timestamp: 5}}
	for golden, table := range map[string]TopicTable{table4: sampleTable(), table5: five} {
		body := `{"filterServerList":[],"topicConfigSerializeWrapper":` + golden + `}`
		want := &RegisterBrokerBody{Table: table, FilterServers: []string{}}
		read, err := UnmarshalRegisterBrokerBody([]byte(body), false, wire.V5_3_2)
		require.NoError(t, err)
		require.Equal(t, want, read)
		require.Equal(t, body, string(want.Marshal()))
		require.Equal(t, golden, string(want.Table.Marshal()))
	}
}

func TestRegistrationOfBrokersBefore3_0_11IsTheBareTable(t *testing.T) {
	read, err := UnmarshalRegisterBrokerBody([]byte(table4), false, wire.V3_0_11-1)
	require.NoError(t, err)
	require.Equal(t, &RegisterBrokerBody{Table: sampleTable()}, read)
}

func TestRegistrationWithoutBodyOffersNothing(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		read, err := UnmarshalRegisterBrokerBody(nil, compressed, wire.V5_3_2)
		require.NoError(t, err)
		require.Equal(t, &RegisterBrokerBody{}, read)
	}
	require.Equal(t, "registration of 1 topics, version 0/1700000000000/3", (&RegisterBrokerBody{Table: sampleTable()}).String())
}

// packed puts a zlib stream around blocks (text) and counts (int).
func packed(parts ...any) []byte {
	var data []byte
	for _, part := range parts {
		switch v := part.(type) {
		case int:
			data = binary.BigEndian.AppendUint32(data, uint32(v))
		case string:
			data = binary.BigEndian.AppendUint32(data, uint32(len(v)))
			data = append(data, v...)
		}
	}
	return deflate(data)
}

func TestPackedRegistrationFollowsTheTable(t *testing.T) {
	const version = `{"counter":3,"stateVersion":0,"timestamp":1700000000000}`
	const mapping = `{"bname":"b","currIdMap":{0:1},"dirty":false,"epoch":1,"topic":"S","totalQueues":1}`
	body := packed(version, 2, "T 8 4 6 SINGLE_TAG", "U 1 1 4 MULTI_TAG {\"a b\":\"c d\"}", `["f:1"]`, 1, mapping)
	want := &RegisterBrokerBody{
		Table: TopicTable{
			Version: DataVersion{Counter: 3, Timestamp: 1700000000000},
			Topics: []TopicConfig{
				{Name: "T", ReadQueues: 8, WriteQueues: 4, Perm: PermReadWrite},
				{Name: "U", ReadQueues: 1, WriteQueues: 1, Perm: PermRead, FilterType: MultiTag, Attributes: map[string]string{"a b": "c d"}},
			},
			Mappings: &MappingTable{Infos: []TopicMapping{{
				Topic: "S", TotalQueues: 1, BrokerName: "b", Epoch: 1, Current: []QueueIDPair{{0, 1}},
			}}},
		},
		FilterServers: []string{"f:1"},
	}
	for _, compressed := range []bool{true, false} {
		read, err := UnmarshalRegisterBrokerBody(body, compressed, wire.V5_0_0)
		require.NoError(t, err, "some brokers do not announce the compression")
		require.Equal(t, want, read)
	}

	// The same from a 4.x broker ends before the mappings.
	older := *want
	older.Table.Mappings = nil
	read, err := UnmarshalRegisterBrokerBody(packed(version, 2, "T 8 4 6 SINGLE_TAG", "U 1 1 4 MULTI_TAG {\"a b\":\"c d\"}", `["f:1"]`),
		true, wire.V4_9_4)
	require.NoError(t, err)
	require.Equal(t, &older, read)
}

func TestPackedRegistrationIsWrittenForBothGenerations(t *testing.T) {
	body := &RegisterBrokerBody{
		Table: TopicTable{
			Version: DataVersion{Counter: 1},
			Topics:  []TopicConfig{{Name: "T", ReadQueues: 8, WriteQueues: 8, Perm: 6}},
			Mappings: &MappingTable{Infos: []TopicMapping{{
				Topic: "S", Scope: "__global__", TotalQueues: 2, BrokerName: "b", Epoch: 1, Current: []QueueIDPair{{0, 0}, {1, 1}},
			}}},
		},
		FilterServers: []string{},
	}
	inflated, err := inflate(body.MarshalPacked(wire.V4_9_4))
	require.NoError(t, err)
	const four = "\x00\x00\x00\x2c" + `{"counter":1,"stateVersion":0,"timestamp":0}` +
		"\x00\x00\x00\x01" + "\x00\x00\x00\x15" + `T 8 8 6 SINGLE_TAG {}` + "\x00\x00\x00\x02" + `[]`
	require.Equal(t, four, string(inflated))
	inflated, err = inflate(body.MarshalPacked(wire.V5_0_0))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(inflated), four))
	require.Equal(t, byte(1), inflated[len(four)+3], "one mapping")

	read, err := UnmarshalRegisterBrokerBody(body.MarshalPacked(wire.V5_0_0), true, wire.V5_0_0)
	require.NoError(t, err)
	body.Table.Topics[0].Attributes = map[string]string{}
	require.Equal(t, body, read)
}

func TestPackedRegistrationSurvives(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		body := &RegisterBrokerBody{Table: TopicTable{Version: rapid.Make[DataVersion]().Draw(r, "version")}, FilterServers: []string{"f"}}
		for range rapid.IntRange(0, 4).Draw(r, "topics") {
			body.Table.Topics = append(body.Table.Topics, TopicConfig{
				Name:        rapid.StringMatching(`[a-zA-Z0-9_%|-]{1,12}`).Draw(r, "name"),
				ReadQueues:  rapid.Int32().Draw(r, "read"),
				WriteQueues: rapid.Int32().Draw(r, "write"),
				Perm:        Perm(rapid.Int32().Draw(r, "perm")),
				FilterType:  TopicFilterType(rapid.Int8Range(0, 1).Draw(r, "filter")),
				Attributes:  rapid.MapOf(randomTexts, randomTexts).Draw(r, "attributes"),
			})
		}
		version := rapid.SampledFrom([]int32{wire.V4_9_4, wire.V5_3_2}).Draw(r, "release")
		if version >= wire.V5_0_0 {
			body.Table.Mappings = &MappingTable{}
		}
		read, err := UnmarshalRegisterBrokerBody(body.MarshalPacked(version), true, version)
		require.NoError(r, err)
		require.Equal(r, body, read)
	})
}

func TestDamagedPackedRegistrationsAreRefused(t *testing.T) {
	const version = `{"counter":1}`
	const topic = "T 8 8 6 SINGLE_TAG"
	for want, body := range map[string][]byte{
		"it ends too early":            packed(version),
		"ends too early":               packed(version, 1),
		"a length is -1":               packed(version, -1),
		"has 2 parts":                  packed(version, 1, "T 8", "[]"),
		`parsing "many"`:               packed(version, 1, "T many 8 6 SINGLE_TAG", "[]"),
		"unknown filter type":          packed(version, 1, "T 8 8 6 NO_TAG", "[]"),
		"attributes":                   packed(version, 1, topic+" {", "[]"),
		"data version":                 packed(`{"counter":"x"}`, 0, "[]"),
		"filter servers":               packed(version, 0, "{}"),
		"a value is missing at byte 0": packed("", 0, "[]"),
		"topic mapping":                packed(version, 0, "[]", 1, `{"epoch":"x"}`),
		"zlib":                         []byte("\x78\x00\x00"),
	} {
		_, err := UnmarshalRegisterBrokerBody(body, true, wire.V5_0_0)
		require.ErrorIs(t, err, ErrBody, want)
		require.ErrorContains(t, err, want)
	}
}

func TestPackedRegistrationMayNotBlowUp(t *testing.T) {
	var bomb bytes.Buffer
	w := zlib.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range MaxUnpacked/len(zeros) + 1 {
		_, err := w.Write(zeros)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.Less(t, bomb.Len(), 1<<20)
	_, err := UnmarshalRegisterBrokerBody(bomb.Bytes(), true, wire.V5_0_0)
	require.ErrorContains(t, err, "inflates to more than 67108864 bytes")
}

func TestCountsAreCheckedBeforeMemoryIsAskedFor(t *testing.T) {
	_, err := UnmarshalRegisterBrokerBody(packed(`{}`, 1<<31-1, "x"), true, wire.V5_0_0)
	require.ErrorIs(t, err, errShort)
}

func TestTopicTableGoesByItsKeys(t *testing.T) {
	table, err := UnmarshalTopicTable([]byte(`{"topicConfigTable":{"B":{"topicName":"other","perm":"4"},"A":{},"C":null}}`))
	require.NoError(t, err)
	require.Equal(t, []TopicConfig{NewTopicConfig("A"), {Name: "B", ReadQueues: 16, WriteQueues: 16, Perm: PermRead}}, table.Topics)
	require.Equal(t, DataVersion{}, table.Version)
}

func TestTopicTableSurvives(t *testing.T) {
	want := sampleTable()
	want.Mappings = &MappingTable{
		Version: DataVersion{Counter: 1},
		Infos:   []TopicMapping{{Topic: "S", BrokerName: "b", TotalQueues: 1, Current: []QueueIDPair{{0, 0}}}},
		Details: []MappingDetail{{
			TopicMapping: TopicMapping{Topic: "S", Scope: "__global__", BrokerName: "b", TotalQueues: 1, Epoch: 3, Current: []QueueIDPair{{0, 0}}},
			Hosted: []HostedQueue{{Logical: 0, Items: []MappingItem{
				{Generation: 1, QueueID: 2, BrokerName: "a", EndOffset: 10, TimeOfStart: 1, TimeOfEnd: 2},
				{Generation: 2, QueueID: 0, BrokerName: "b", LogicOffset: 10, EndOffset: -1, TimeOfStart: -1, TimeOfEnd: -1},
			}}},
		}},
	}
	read, err := UnmarshalTopicTable(want.Marshal())
	require.NoError(t, err)
	require.Equal(t, &want, read)
	require.Contains(t, string(want.Marshal()), `"epoch":3,"hostedQueues":{0:[{"bname":"a","endOffset":10,"gen":1,`)

	open, err := UnmarshalTopicTable([]byte(`{"topicQueueMappingDetailMap":{"S":{"topic":"S","hostedQueues":{0:[{"bname":"b"}]}}}}`))
	require.NoError(t, err)
	require.Equal(t, MappingItem{BrokerName: "b", EndOffset: -1, TimeOfStart: -1, TimeOfEnd: -1}, open.Mappings.Details[0].Hosted[0].Items[0])
}

func TestTopicConfigsAreComparedByValue(t *testing.T) {
	a := NewTopicConfig("T")
	b := a.Clone()
	b.Attributes = map[string]string{}
	require.True(t, a.Equal(&b))
	b.Attributes["message.type"] = "FIFO"
	require.False(t, a.Equal(&b))
	c := b.Clone()
	require.True(t, b.Equal(&c))
	c.Attributes["message.type"] = "NORMAL"
	require.Equal(t, "FIFO", b.Attributes["message.type"], "a clone is on its own")
	require.Equal(t, "topic T: 16 read queues, 16 write queues, RW-", a.String())
	read, err := UnmarshalTopicConfig(b.Marshal())
	require.NoError(t, err)
	require.True(t, b.Equal(&read))
}

func TestRegistrationChecksItsBody(t *testing.T) {
	body := []byte("123456789")
	// The CRC-32 of these digits is cbf43926; the top bit is cleared.
	require.Equal(t, int32(0x4bf43926), BodyChecksum(body))
	header := RegisterBroker{BodyChecksum: 0x4bf43926}
	require.NoError(t, header.CheckBody(body))
	require.ErrorIs(t, header.CheckBody(body[1:]), ErrChecksum)
	header.BodyChecksum = 0
	require.NoError(t, header.CheckBody(body[1:]), "0 asks for no check")
}

// FuzzRegisterBrokerBody: no input makes it panic or allocate without bound, errors are
// ErrBody, and what was read is written and read again as the same.
func FuzzRegisterBrokerBody(f *testing.F) {
	f.Add([]byte(`{"filterServerList":[],"topicConfigSerializeWrapper":`+table5+`}`), false, int32(wire.V5_3_2))
	f.Add([]byte(table4), false, int32(0))
	f.Add(packed(`{"counter":1}`, 1, `T 8 8 6 SINGLE_TAG {"a":"b"}`, `[]`, 1, `{"topic":"S","currIdMap":{0:1}}`), true, int32(wire.V5_0_0))
	f.Add(packed(`{"counter":1}`, 1, `T 8 8 6 SINGLE_TAG`, `[]`), true, int32(wire.V4_9_4))
	f.Fuzz(func(t *testing.T, body []byte, compressed bool, version int32) {
		if !compressed {
			// Wrap what the fuzzer makes of the packed form, which it could not compress itself.
			if _, err := UnmarshalRegisterBrokerBody(deflate(body), true, version); err != nil {
				require.ErrorIs(t, err, ErrBody)
			}
		}
		read, err := UnmarshalRegisterBrokerBody(body, compressed, version)
		if err != nil {
			require.ErrorIs(t, err, ErrBody)
			return
		}
		text := read.Marshal()
		again, err := UnmarshalRegisterBrokerBody(text, false, wire.V5_3_2)
		require.NoError(t, err, "%s", text)
		// Duplicates are gone and names are sorted after the first pass.
		require.Equal(t, string(again.Marshal()), string(mustRead(t, again.Marshal()).Marshal()))
		_ = read.MarshalPacked(version)
	})
}

func mustRead(t *testing.T, body []byte) *RegisterBrokerBody {
	t.Helper()
	read, err := UnmarshalRegisterBrokerBody(body, false, wire.V5_3_2)
	require.NoError(t, err)
	return read
}

func BenchmarkUnmarshalRegisterBrokerBody(b *testing.B) {
	body := &RegisterBrokerBody{}
	for i := range 1000 {
		config := NewTopicConfig("topic-" + strings.Repeat("x", i%20) + string(rune('a'+i%26)) + strings.Repeat("y", i/26))
		body.Table.Topics = append(body.Table.Topics, config)
	}
	text, packed := body.Marshal(), body.MarshalPacked(wire.V5_3_2)
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			UnmarshalRegisterBrokerBody(text, false, wire.V5_3_2)
		}
	})
	b.Run("packed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			UnmarshalRegisterBrokerBody(packed, true, wire.V5_3_2)
		}
	})
}
