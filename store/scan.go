package store

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
)

// logScanner reads the records of a log one after the other and verifies each.
type logScanner struct {
	row     *segment.Row
	at      message.LogOffset // of the next record
	buffer  []byte
	loaded  int64 // log offset of buffer[0]
	record  message.Record
	raw     []byte // the record's bytes; valid until the next call
	problem error  // why the log ends at at; nil where there is nothing at all
	chunk   int64  // how much is read at once
	limit   int64  // nothing is read from here on; 0 is the end of the file
}

// scanChunk is how much is read at once by who reads many records.
const scanChunk = 1 << 20

func newLogScanner(row *segment.Row, from message.LogOffset) *logScanner {
	return &logScanner{row: row, at: from, chunk: scanChunk}
}

// next moves to the next record. It reports false where the log ends: at the end of the files, at unwritten bytes,
// or at the first record in doubt, which problem then describes. An
// error means that the disk could not be read.
func (l *logScanner) next() (bool, error) {
	for l.row.Has(int64(l.at)) {
		head, err := l.bytes(message.EndOfFileSize)
		if err != nil {
			return false, err
		}
		size, _ := message.PeekSize(head)
		magic, _ := message.PeekMagic(head)
		left := l.row.FileStart(int64(l.at)) + l.row.SegmentSize() - int64(l.at)
		switch {
		case size == 0 && magic == 0:
			return false, nil
		case magic == message.MagicEndOfFile && int64(size) == left:
			l.at += message.LogOffset(left)
			continue
		case int64(size) > left-message.EndOfFileSize || size <= 0:
			l.problem = fmt.Errorf("%v: a size of %d cannot be here", l.at, size)
			return false, nil
		}
		if fits, err := l.beginsRecord(size); err != nil || !fits {
			return false, err
		}
		return l.verify(int(size))
	}
	return false, nil
}

// beginsRecord looks at the head, so that what is no record is not read in whatever size it states.
func (l *logScanner) beginsRecord(size int32) (bool, error) {
	head, err := l.bytes(min(int(size), recordHead))
	if err != nil {
		return false, err
	}
	magic, _ := message.PeekMagic(head)
	log, ok := message.PeekLogOffset(head)
	switch {
	case magic != message.MagicV1 && magic != message.MagicV2:
		l.problem = fmt.Errorf("%v: %w: %v", l.at, message.ErrMagic, magic)
	case !ok || log != l.at:
		l.problem = fmt.Errorf("%v: the record says that it stands at %d", l.at, log)
	default:
		return true, nil
	}
	return false, nil
}

// verify decodes and checks the record of the given size.
func (l *logScanner) verify(size int) (bool, error) {
	raw, err := l.bytes(size)
	if err != nil {
		return false, err
	}
	_, err = message.DecodeRecord(raw, &l.record, true)
	if err == nil {
		err = verifySeal(raw, l.record.Properties)
	}
	if err != nil {
		l.problem = fmt.Errorf("%v: %w", l.at, err)
		return false, nil
	}
	l.raw = raw
	l.at += message.LogOffset(size)
	return true, nil
}

// bytes returns n bytes from at on, fewer at the end of the file.
func (l *logScanner) bytes(n int) ([]byte, error) {
	from := int64(l.at) - l.loaded
	if len(l.buffer) > 0 && from >= 0 && from+int64(n) <= int64(len(l.buffer)) {
		return l.buffer[from : from+int64(n)], nil
	}
	left := l.row.FileStart(int64(l.at)) + l.row.SegmentSize() - int64(l.at)
	if l.limit > 0 {
		left = min(left, max(l.limit-int64(l.at), 0))
	}
	want := min(left, max(int64(n), l.chunk))
	if int64(cap(l.buffer)) < want {
		l.buffer = make([]byte, want)
	}
	l.buffer = l.buffer[:want]
	l.loaded = int64(l.at)
	if err := l.row.ReadAt(l.buffer, int64(l.at)); err != nil {
		l.buffer = l.buffer[:0]
		return nil, err
	}
	return l.buffer[:min(int64(n), want)], nil
}

var errContradiction = errors.New("the queue and the log contradict each other")
