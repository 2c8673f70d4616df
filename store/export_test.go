package store

import (
	"fmt"
	"hash/crc32"

	"github.com/gantrymq/gantry/transport/message"
)

// EncodeCheckpoint makes the bytes of a checkpoint file, so that tests can put any words into one. What it says of the key
// index stays as in an old one.
func EncodeCheckpoint(old []byte, at int64, saved message.LogOffset, entries int64) []byte {
	state := decodeCheckpoint(old)
	state = checkpointState{physicalAt: at, logicsAt: at, saved: saved, entries: entries, removed: state.removed, mark: state.mark, sequence: state.sequence + 1, own: true}
	p := make([]byte, usedBytes)
	copy(p, old)
	words := state.javaWords()
	copy(p, words[:])
	slot, place := state.slot()
	copy(p[place:], slot)
	return p
}

// RemoveLogBefore removes the files of the log that end at or before a place.
func RemoveLogBefore(s *Store, at message.LogOffset) error {
	_, err := s.log.RemoveBefore(int64(at))
	return err
}

// EncodeDropped makes the file of removed topics from the JSON of its table.
func EncodeDropped(topics string) []byte {
	return fmt.Appendf(nil, `{"topics":%s,"checksum":%d}`, topics, crc32.ChecksumIEEE([]byte(topics)))
}
