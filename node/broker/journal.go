package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/gantrymq/gantry/node/env"
)

// journalPath is a file of ours; Java brokers ignore it.
const (
	journalFile = "consumerOffset.journal"
	journalPath = configDir + "/" + journalFile
)

// offsetJournal makes single commits durable between two saves of the table.
//
//	header, 20 bytes: magic "GANTRYOJ", length of the saved table (i64), CRC-32 of the saved table
//	entry: length of the key (u16), queue (i32), offset (i64), key, CRC-32 of the entry so far
//
// All numbers are big-endian. The journal counts only beside the very table that its header describes: one that was saved
// later has everything in it already. The version inside the table would not tell, because a Java broker saves many times under one.
type offsetJournal struct {
	disk   env.Disk
	file   env.File
	end    int64
	broken error // what a restart would find is in doubt: nothing more is promised until the next reset
}

type journalEntry struct {
	key    string
	queue  int32
	offset int64
}

const (
	journalMagic      = 0x47414E5452594F4A
	journalHeaderSize = 20
	entryHeadSize     = 14
	journalMax        = 64 << 20 // bytes; a start reads all of it, so append lets it grow no further
)

// tableMark tells one content of offsetsFile from another. That of a missing file is the zero value.
type tableMark struct {
	length   int64
	checksum uint32
}

func markOf(content []byte) tableMark {
	return tableMark{length: int64(len(content)), checksum: crc32.ChecksumIEEE(content)}
}

// open returns the commits that were made durable after this table was saved.
func (j *offsetJournal) open(table tableMark) ([]journalEntry, error) {
	f, err := j.disk.Open(journalPath)
	if errors.Is(err, env.ErrNotExist) {
		return nil, j.create(table)
	}
	if err != nil {
		return nil, err
	}
	j.file = f
	content := make([]byte, min(f.Size(), journalMax))
	n, err := f.ReadAt(content, 0)
	if err != nil {
		return nil, err
	}
	entries, end, ok := decodeJournal(content[:n], table)
	if !ok {
		return nil, j.reset(table)
	}
	j.end = end
	// Behind the end there may be the rest of a torn write: it must not come back behind shorter entries. Before it there may be
	// entries that only the cache has and that a failed sync left marked as clean: written again, they are synced in earnest.
	if err := f.Truncate(end); err != nil {
		return nil, err
	}
	if err := f.WriteAt(content[:end], 0); err != nil {
		return nil, err
	}
	return entries, f.Sync(0, end)
}

// close closes the file, if it was opened.
func (j *offsetJournal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}

func (j *offsetJournal) create(table tableMark) error {
	f, err := j.disk.Create(journalPath)
	if err != nil {
		return err
	}
	j.file = f
	if err := j.reset(table); err != nil {
		return err
	}
	return j.disk.SyncDir(configDir)
}

// reset empties the journal, for a table that was just saved.
func (j *offsetJournal) reset(table tableMark) error {
	j.broken = j.rewrite(table)
	return j.broken
}

func (j *offsetJournal) rewrite(table tableMark) error {
	if err := j.file.Truncate(0); err != nil {
		return err
	}
	header := journalHeader(table)
	if err := j.file.WriteAt(header, 0); err != nil {
		return err
	}
	j.end = journalHeaderSize
	return j.file.Sync(0, j.end)
}

func journalHeader(table tableMark) []byte {
	p := binary.BigEndian.AppendUint64(nil, journalMagic)
	p = binary.BigEndian.AppendUint64(p, uint64(table.length))
	return binary.BigEndian.AppendUint32(p, table.checksum)
}

// append makes commits durable: the bytes p at a place. Nothing else may be done with the journal meanwhile. After an error none of them is promised.
func (j *offsetJournal) append(batch []pendingCommit) (at int64, p []byte, err error) {
	if j.broken != nil {
		return 0, nil, j.broken
	}
	for _, c := range batch {
		p = c.entry.append(p)
	}
	if j.end+int64(len(p)) > journalMax {
		return 0, nil, fmt.Errorf("%s would grow beyond %d bytes: it is emptied when the offsets can be saved", journalPath, journalMax)
	}
	at = j.end
	err = j.file.WriteAt(p, j.end)
	if err == nil {
		err = j.file.Sync(j.end, j.end+int64(len(p)))
	}
	if err != nil {
		// What the file holds now is in doubt: the next save begins it anew.
		j.broken = err
		return 0, nil, err
	}
	j.end += int64(len(p))
	return at, p, nil
}

func (e journalEntry) append(p []byte) []byte {
	start := len(p)
	p = binary.BigEndian.AppendUint16(p, uint16(len(e.key)))
	p = binary.BigEndian.AppendUint32(p, uint32(e.queue))
	p = binary.BigEndian.AppendUint64(p, uint64(e.offset))
	p = append(p, e.key...)
	return binary.BigEndian.AppendUint32(p, crc32.ChecksumIEEE(p[start:]))
}

// decodeJournal reads entries up to the first in doubt. ok is false if the journal belongs to another table.
func decodeJournal(p []byte, table tableMark) (entries []journalEntry, end int64, ok bool) {
	if len(p) < journalHeaderSize || string(p[:journalHeaderSize]) != string(journalHeader(table)) {
		return nil, 0, false
	}
	at := journalHeaderSize
	for {
		e, n := decodeJournalEntry(p[at:])
		if n == 0 {
			return entries, int64(at), true
		}
		entries = append(entries, e)
		at += n
	}
}

func decodeJournalEntry(p []byte) (journalEntry, int) {
	if len(p) < entryHeadSize {
		return journalEntry{}, 0
	}
	n := entryHeadSize + int(binary.BigEndian.Uint16(p))
	if len(p) < n+4 || binary.BigEndian.Uint32(p[n:]) != crc32.ChecksumIEEE(p[:n]) {
		return journalEntry{}, 0
	}
	return journalEntry{
		key:    string(p[entryHeadSize:n]),
		queue:  int32(binary.BigEndian.Uint32(p[2:])),
		offset: int64(binary.BigEndian.Uint64(p[6:])),
	}, n + 4
}
