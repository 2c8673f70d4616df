package proto

import (
	"encoding/json"
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// ProducerConnection is the members of a producer group (class ProducerConnection): the
// body of the answer to ReqGetProducerConnectionList.
type ProducerConnection struct {
	Members []Connection // connectionSet; a set, in no order
}

// String shows the number of members.
func (c *ProducerConnection) String() string { return fmt.Sprintf("%d members", len(c.Members)) }

// Marshal writes the body.
func (c *ProducerConnection) Marshal() []byte {
	var w writer
	w.open('{')
	w.connections(c.Members)
	w.close('}')
	return w.text
}

// UnmarshalProducerConnection reads the body. The error is ErrBody.
func UnmarshalProducerConnection(body []byte) (*ProducerConnection, error) {
	var in struct {
		ConnectionSet []Connection `json:"connectionSet"`
	}
	if err := unmarshal("ProducerConnection", body, &in); err != nil {
		return nil, err
	}
	return &ProducerConnection{Members: in.ConnectionSet}, nil
}

// ProducerTable lists all producers of a broker (class ProducerTableInfo): the body of the answer
// to ReqGetAllProducerInfo.
type ProducerTable struct {
	Groups []ProducerGroup // data; by group when read, each group once
}

// ProducerGroup is one entry of ProducerTable.Groups.
type ProducerGroup struct {
	Group   string
	Members []ProducerInfo
}

// ProducerInfo is one member of a producer group (class ProducerInfo).
type ProducerInfo struct {
	Connection       // its address is remoteIP here, which is ip:port all the same
	SeenAt     int64 // lastUpdateTimestamp: wall milliseconds of the last heartbeat
}

// String shows the number of groups.
func (t *ProducerTable) String() string { return fmt.Sprintf("%d producer groups", len(t.Groups)) }

// Marshal writes the body.
func (t *ProducerTable) Marshal() []byte {
	var w writer
	w.open('{')
	w.key("data")
	w.open('{')
	for _, group := range t.Groups {
		w.key(group.Group)
		w.open('[')
		for i := range group.Members {
			w.producer(&group.Members[i])
		}
		w.close(']')
	}
	w.close('}')
	w.close('}')
	return w.text
}

func (w *writer) producer(p *ProducerInfo) {
	w.open('{')
	w.stringMember("clientId", p.ClientID)
	w.stringMember("language", p.Language.String())
	w.integerMember("lastUpdateTimestamp", p.SeenAt)
	w.stringMember("remoteIP", p.Address)
	w.integerMember("version", int64(p.Version))
	w.close('}')
}

// UnmarshalProducerTable reads the body. The error is ErrBody.
func UnmarshalProducerTable(body []byte) (*ProducerTable, error) {
	var in struct {
		Data map[string][]ProducerInfo `json:"data"`
	}
	if err := unmarshal("ProducerTableInfo", body, &in); err != nil {
		return nil, err
	}
	t := new(ProducerTable)
	for _, group := range sortedKeys(in.Data) {
		t.Groups = append(t.Groups, ProducerGroup{Group: group, Members: in.Data[group]})
	}
	return t, nil
}

// UnmarshalJSON reads strict JSON.
func (p *ProducerInfo) UnmarshalJSON(text []byte) error {
	in := struct {
		ClientID            looseString   `json:"clientId"`
		RemoteIP            looseString   `json:"remoteIP"`
		Language            looseLanguage `json:"language"`
		Version             looseInt32    `json:"version"`
		LastUpdateTimestamp looseInt64    `json:"lastUpdateTimestamp"`
	}{Language: looseLanguage(wire.LanguageOther)}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*p = ProducerInfo{
		Connection: Connection{
			ClientID: string(in.ClientID),
			Address:  string(in.RemoteIP),
			Language: wire.Language(in.Language),
			Version:  int32(in.Version),
		},
		SeenAt: int64(in.LastUpdateTimestamp),
	}
	return nil
}
