package proto

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zlib"

	"github.com/gantrymq/gantry/transport/wire"
)

// The packed form of a RegisterBrokerBody is one zlib stream of
//
//	i32 length, DataVersion as JSON
//	i32 number of topics, then for each: i32 length, text
//	    "name readQueues writeQueues perm filterType {attributes as JSON}"
//	i32 length, filter servers as a JSON array
//	since 5.0: i32 number of mappings, then for each: i32 length, TopicMapping as JSON
//
// Whether a topic is ordered, its system flags, the version of the mappings and their
// details do not travel.

// MaxUnpacked is how many bytes a packed registration may inflate to.
const MaxUnpacked = 64 << 20

var errShort = errors.New("it ends too early")

// MarshalPacked writes the packed form for name servers, to be sent with compressed=true
// and the same version in the frame's header: that tells the reader whether the mappings
// follow (from wire.V5_0_0 on).
func (b *RegisterBrokerBody) MarshalPacked(version int32) []byte {
	p := packer{}
	p.block(b.Table.Version.Marshal())
	p.number(len(b.Table.Topics))
	for i := range b.Table.Topics {
		p.block(packTopic(&b.Table.Topics[i]))
	}
	var servers writer
	servers.open('[')
	for _, server := range b.FilterServers {
		servers.string(server)
	}
	servers.close(']')
	p.block(servers.text)
	if version >= wire.V5_0_0 {
		p.mappings(b.Table.Mappings)
	}
	return deflate(p.data)
}

func deflate(data []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	// A bytes.Buffer takes every write, so neither call can fail.
	w.Write(data)
	w.Close()
	return out.Bytes()
}

// packer appends the parts of the packed form.
type packer struct{ data []byte }

func (p *packer) number(n int) { p.data = binary.BigEndian.AppendUint32(p.data, uint32(n)) }

func (p *packer) block(text []byte) {
	p.number(len(text))
	p.data = append(p.data, text...)
}

func (p *packer) mappings(m *MappingTable) {
	if m == nil {
		p.number(0)
		return
	}
	p.number(len(m.Infos))
	for i := range m.Infos {
		var w writer
		w.mapping(&m.Infos[i])
		p.block(w.text)
	}
}

func packTopic(t *TopicConfig) []byte {
	var attributes writer
	attributes.table(t.Attributes)
	return fmt.Appendf(nil, "%s %d %d %d %s %s",
		t.Name, t.ReadQueues, t.WriteQueues, int32(t.Perm), t.FilterType, attributes.text)
}

// unpack reads the packed form.
func (b *RegisterBrokerBody) unpack(body []byte, version int32) error {
	data, err := inflate(body)
	if err != nil {
		return err
	}
	u := unpacker{rest: data}
	if err := json.Unmarshal(u.strict(), &b.Table.Version); u.err == nil && err != nil {
		return fmt.Errorf("data version: %w", err)
	}
	for range u.count() {
		b.Table.Topics = append(b.Table.Topics, u.topic())
	}
	if err := json.Unmarshal(u.strict(), &b.FilterServers); u.err == nil && err != nil {
		return fmt.Errorf("filter servers: %w", err)
	}
	// Absent mappings are forgiven: there are none then.
	if version >= wire.V5_0_0 && len(u.rest) > 0 {
		u.mappings(&b.Table)
	}
	return u.err
}

func inflate(body []byte) ([]byte, error) {
	r, err := zlib.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, MaxUnpacked+1))
	if err == nil && len(data) > MaxUnpacked {
		err = fmt.Errorf("it inflates to more than %d bytes", MaxUnpacked)
	}
	return data, err
}

// unpacker takes the parts of the packed form off rest. After the first fault it
// returns zero values.
type unpacker struct {
	rest []byte
	err  error
}

func (u *unpacker) fail(err error) {
	if u.err == nil {
		u.err = err
	}
	u.rest = nil
}

func (u *unpacker) number() int {
	if len(u.rest) < 4 {
		u.fail(errShort)
		return 0
	}
	n := int32(binary.BigEndian.Uint32(u.rest))
	u.rest = u.rest[4:]
	if n < 0 {
		u.fail(fmt.Errorf("a length is %d", n))
		return 0
	}
	return int(n)
}

// count reads how many blocks follow. Each has four bytes at least, which bounds what an
// invented number can make the reader allocate.
func (u *unpacker) count() int {
	n := u.number()
	if n > len(u.rest)/4 {
		u.fail(errShort)
		return 0
	}
	return n
}

func (u *unpacker) block() []byte {
	n := u.number()
	if n > len(u.rest) {
		u.fail(errShort)
		return nil
	}
	block := u.rest[:n]
	u.rest = u.rest[n:]
	return block
}

// strict reads a block that is JSON, in any dialect.
func (u *unpacker) strict() []byte {
	text, err := Strict(u.block())
	if err != nil {
		u.fail(err)
	}
	return text
}

func (u *unpacker) topic() TopicConfig {
	topic, err := unpackTopic(string(u.block()))
	if err != nil {
		u.fail(err)
	}
	return topic
}

func unpackTopic(text string) (TopicConfig, error) {
	parts := strings.SplitN(text, " ", 6)
	if len(parts) < 5 {
		return TopicConfig{}, fmt.Errorf("topic %q has %d parts instead of 5 or 6", shorten([]byte(text)), len(parts))
	}
	var numbers [3]int32
	for i, part := range parts[1:4] {
		n, err := strconv.ParseInt(part, 10, 32)
		if err != nil {
			return TopicConfig{}, fmt.Errorf("topic %q: %w", shorten([]byte(text)), err)
		}
		numbers[i] = int32(n)
	}
	kind, ok := parseTopicFilterType(parts[4])
	if !ok {
		return TopicConfig{}, fmt.Errorf("topic %q has an unknown filter type", shorten([]byte(text)))
	}
	topic := TopicConfig{Name: parts[0], ReadQueues: numbers[0], WriteQueues: numbers[1], Perm: Perm(numbers[2]), FilterType: kind}
	if len(parts) < 6 || parts[5] == "" {
		return topic, nil
	}
	var attributes looseTable
	if err := unmarshal("attributes", []byte(parts[5]), &attributes); err != nil {
		return TopicConfig{}, err
	}
	topic.Attributes = attributes.plain()
	return topic, nil
}

func (u *unpacker) mappings(table *TopicTable) {
	table.Mappings = new(MappingTable)
	for range u.count() {
		var m TopicMapping
		if err := json.Unmarshal(u.strict(), &m); u.err == nil && err != nil {
			u.fail(fmt.Errorf("topic mapping: %w", err))
		}
		table.Mappings.Infos = append(table.Mappings.Infos, m)
	}
}
