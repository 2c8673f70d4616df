package broker

import (
	"errors"
	"fmt"
	"hash/crc32"
	"path"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// copyTables handles GANTRY_COPY_TABLES: a slave asks for the files of the config directory. It waits for the disk.
//
// Answers: success; invalid parameter; system error.
func (b *Broker) copyTables(in *transport.Incoming) {
	var header proto.CopyTables
	if !decode(in, &header) {
		return
	}
	if header.Name != "" {
		b.copyTable(in, &header)
		return
	}
	list, err := &proto.TableList{}, error(nil)
	b.await(in, func() { list.Files, err = b.listTables() })
	if err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	// Only now: each of the files was written before.
	list.Log, list.Confirmed = int64(b.store.End()), int64(b.store.Confirmed())
	in.Reply().Success(list.Marshal())
}

// tablePartMax is how much of a file one answer carries.
const tablePartMax = 1 << 20

func (b *Broker) copyTable(in *transport.Incoming, header *proto.CopyTables) {
	if !isTable(header.Name) {
		in.Reply().Error(proto.RespInvalidParameter, fmt.Sprintf("name %q: no such table", header.Name))
		return
	}
	var content []byte
	var sum uint32
	err := error(nil)
	b.await(in, func() { content, sum, err = b.tableContent(header.Name) })
	switch {
	case err != nil:
		in.Reply().Error(proto.RespSystemError, err.Error())
	case header.From < 0 || header.From > int64(len(content)):
		in.Reply().Error(proto.RespInvalidParameter, fmt.Sprintf("from %d: %s has %d bytes", header.From, header.Name, len(content)))
	default:
		part := content[header.From:min(header.From+tablePartMax, int64(len(content)))]
		in.Reply().SendFields(proto.RespSuccess, "", &proto.CopyTablesResponse{Size: int64(len(content)), Checksum: int64(sum)}, nil, part)
	}
}

// isTable reports whether a file of the config directory is a table that brokers of a group share. Drafts and older copies are not, nor what says who
// may do what: that is each broker's own.
func isTable(name string) bool {
	switch path.Ext(name) {
	case ".new", ".bak", ".damaged", ".yml", ".key", "":
		return name == repeatsFile
	}
	return !strings.Contains(name, "/")
}

// listTables lists the tables. It waits for the disk.
func (b *Broker) listTables() (list []proto.TableFile, err error) {
	entries, err := b.env.Disk.List(configDir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir || !isTable(e.Name) {
			continue
		}
		content, sum, err := b.tableContent(e.Name)
		if errors.Is(err, env.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, proto.TableFile{Name: e.Name, Size: int64(len(content)), Checksum: sum})
	}
	return list, nil
}

// tableContent reads a table as it is now.
func (b *Broker) tableContent(name string) (content []byte, sum uint32, err error) {
	f, err := b.env.Disk.Open(configDir + "/" + name)
	if err != nil {
		return nil, 0, err
	}
	content = make([]byte, min(f.Size(), documentMax))
	n, err := f.ReadAt(content, 0)
	content = content[:n]
	b.env.Tasks.Offload(func() { sum = crc32.ChecksumIEEE(content) })
	return content, sum, errors.Join(err, f.Close())
}
