package proto

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// RegisterBrokerBody is the body of ReqRegisterBroker (class RegisterBrokerBody): all that a
// broker offers.
type RegisterBrokerBody struct {
	Table         TopicTable // topicConfigSerializeWrapper
	FilterServers []string   // filterServerList: historical, empty
}

// zlibMark is the first byte of a zlib stream with the usual window. No JSON text begins
// with it.
const zlibMark = 0x78

// String shows what the broker offers.
func (b *RegisterBrokerBody) String() string { return "registration of " + b.Table.String() }

// Marshal writes the plain form.
func (b *RegisterBrokerBody) Marshal() []byte {
	var w writer
	w.open('{')
	w.stringsMember("filterServerList", b.FilterServers)
	w.key("topicConfigSerializeWrapper")
	w.topicTable(&b.Table)
	w.close('}')
	return w.text
}

// UnmarshalRegisterBrokerBody reads the body in any form: nothing, JSON, the packed form, or
// the bare TopicTable of brokers before wire.V3_0_11. version is that of the frame's header.
//
// compressed is what the header says; a zlib stream is unpacked even if it was not
// announced, because some 5.x brokers forget to. The unpacked size is limited to
// MaxUnpacked. The error is ErrBody.
func UnmarshalRegisterBrokerBody(body []byte, compressed bool, version int32) (*RegisterBrokerBody, error) {
	b := new(RegisterBrokerBody)
	var err error
	switch {
	case len(body) == 0:
	case compressed || body[0] == zlibMark:
		err = b.unpack(body, version)
		if err != nil {
			err = fmt.Errorf("%w: packed RegisterBrokerBody: %w", ErrBody, err)
		}
	case version < wire.V3_0_11:
		var table *TopicTable
		if table, err = UnmarshalTopicTable(body); err == nil {
			b.Table = *table
		}
	default:
		err = b.unmarshal(body)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// unmarshal reads the plain form.
func (b *RegisterBrokerBody) unmarshal(body []byte) error {
	var in struct {
		FilterServerList            []string       `json:"filterServerList"`
		TopicConfigSerializeWrapper topicTableJSON `json:"topicConfigSerializeWrapper"`
	}
	if err := unmarshal("RegisterBrokerBody", body, &in); err != nil {
		return err
	}
	*b = RegisterBrokerBody{Table: in.TopicConfigSerializeWrapper.table(), FilterServers: in.FilterServerList}
	return nil
}
