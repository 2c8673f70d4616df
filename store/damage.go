package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
)

// damageAt finds out how far a damaged part of the log goes.
func (s *Store) damageAt(from message.LogOffset, reason error) error {
	to, err := nextValid(s.log, from)
	if err != nil {
		return err
	}
	return &DamageError{From: from, To: min(to, max(s.Confirmed(), from)), Reason: reason}
}

// recordMagic is how both kinds of records begin, four bytes behind their first one.
var recordMagic = []byte{0xDA, 0xA3, 0x20}

// nextValid returns the first place behind from where a whole valid record or an end-of-file marker begins, or where the file
// ends. Within a damaged part, a place is only believed if the record there says itself that it stands there.
func nextValid(row *segment.Row, from message.LogOffset) (message.LogOffset, error) {
	fileEnd := row.FileStart(int64(from)) + row.SegmentSize()
	buffer := make([]byte, min(scanChunk, row.SegmentSize()))
	for at := int64(from) + 1; at < fileEnd; {
		p := buffer[:min(int64(len(buffer)), fileEnd-at)]
		if err := row.ReadAt(p, at); err != nil {
			return 0, err
		}
		for i := 0; i+message.EndOfFileSize <= len(p); i++ {
			skip := nextMagic(p[i:])
			if skip < 0 {
				break
			}
			i += skip
			if i+message.EndOfFileSize > len(p) {
				break
			}
			ok, err := validAt(row, message.LogOffset(at+int64(i)), p[i:], fileEnd)
			if err != nil || ok {
				return message.LogOffset(at + int64(i)), err
			}
		}
		// What begins in the last bytes is looked at with the next piece.
		at += max(int64(len(p))-recordHead, 1)
	}
	return message.LogOffset(fileEnd), nil
}

// nextMagic is how many bytes to go on to where a record or a marker could begin, or -1.
func nextMagic(p []byte) int {
	record := bytes.Index(p[4:], recordMagic)
	end := bytes.Index(p[4:], binary.BigEndian.AppendUint32(nil, uint32(message.MagicEndOfFile)))
	switch {
	case record < 0:
		return end
	case end < 0:
		return record
	}
	return min(record, end)
}

func validAt(row *segment.Row, at message.LogOffset, head []byte, fileEnd int64) (bool, error) {
	size, _ := message.PeekSize(head)
	magic, _ := message.PeekMagic(head)
	if magic == message.MagicEndOfFile {
		return int64(size) == fileEnd-int64(at), nil
	}
	if log, ok := message.PeekLogOffset(head); !ok || log != at {
		return false, nil
	}
	scanner := newLogScanner(row, at)
	scanner.chunk = recordChunk
	return scanner.next()
}

// errMissingFiles: the log was longer than its files are.
var errMissingFiles = errors.New("files are missing from " + logDir + "/: put them back, or run gantry inspect repair to go on without them")

// endsEarly is the error for a log that ends at a scanner's place, though it was durable up to another one.
func (s *Store) endsEarly(scanner *logScanner, durable message.LogOffset) error {
	if !s.log.Has(int64(scanner.at)) {
		return &DamageError{From: scanner.at, To: durable, Reason: errMissingFiles}
	}
	to, err := nextValid(s.log, scanner.at)
	if err != nil {
		return err
	}
	return &DamageError{From: scanner.at, To: min(to, durable), Reason: orUnwritten(scanner.problem)}
}

// durableAfterCrash is how far the log is known to be whole after a crash, or after an orderly end of ours. An entry reaches its
// file after its record is durable, so it also tells of files of the log that are missing. Queues that are being built again tell nothing, and neither do those
// that lack entries: one that is damaged may be the one that goes furthest.
func (r *replay) durableAfterCrash() (message.LogOffset, error) {
	if r.clean || !r.state.own || r.rebuild || r.state.entries == entriesUnknown || r.before >= 0 && r.before < r.state.entries {
		return r.state.durable, nil
	}
	known, err := r.store.knownEnd()
	if known <= message.LogOffset(r.store.log.End()) {
		known = 0
	}
	return max(r.state.durable, known), err
}

// missingEntries says why queues are not believed.
func missingEntries(counted, found int64) string {
	if counted == entriesUnknown {
		return "a repair, or a start that was interrupted, asks for all queues to be built again"
	}
	return fmt.Sprintf("the checkpoint counts %d queue entries, there are %d", counted, found)
}
