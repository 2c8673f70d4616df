package proto

import (
	"encoding/json"

	"github.com/gantrymq/gantry/transport/wire"
)

// CopyTables is the header of ReqCopyTables, Gantry's own, by which a slave gets the tables of its master: without a name it is answered by a
// TableList, with one by a part of that file, and CopyTablesResponse.
type CopyTables struct {
	Name string // name: of a file; "" asks for the list
	From int64  // from: the first byte that is wanted
}

// EncodeFields writes the header.
func (h *CopyTables) EncodeFields(e *wire.Encoder) {
	encodeText(e, "name", h.Name)
	e.Int("from", h.From)
}

// DecodeFields reads the header.
func (h *CopyTables) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = CopyTables{Name: f.String("name"), From: r.needInteger("from")}
	return r.err
}

// CopyTablesResponse says of which file the body is a part.
type CopyTablesResponse struct {
	Size     int64 // size: of the whole file, in bytes
	Checksum int64 // checksum: CRC-32 of the whole file
}

// EncodeFields writes the header.
func (h *CopyTablesResponse) EncodeFields(e *wire.Encoder) {
	e.Int("size", h.Size)
	e.Int("checksum", h.Checksum)
}

// DecodeFields reads the header.
func (h *CopyTablesResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = CopyTablesResponse{Size: r.needInteger("size"), Checksum: r.needInteger("checksum")}
	return r.err
}

// TableList lists the files of tables of a master.
type TableList struct {
	// Log is the end of the master's log after the files were read: what they say is of messages before it.
	Log int64 `json:"log"`
	// Confirmed is up to where as many copies have the log as its master promises.
	Confirmed int64       `json:"confirmed"`
	Files     []TableFile `json:"files"`
}

// TableFile is one file of them.
type TableFile struct {
	Name     string `json:"name"`
	Size     int64  `json:"size"`
	Checksum uint32 `json:"checksum"` // CRC-32
}

// Marshal writes the list.
func (l *TableList) Marshal() []byte {
	// Such a value can always be written.
	p, _ := json.Marshal(l)
	return p
}

// UnmarshalTableList reads a list.
func UnmarshalTableList(p []byte) (*TableList, error) {
	l := &TableList{}
	return l, json.Unmarshal(p, l)
}
