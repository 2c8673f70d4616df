package store

import "github.com/gantrymq/gantry/transport/message"

// EncodeCheckpoint makes the bytes of a checkpoint file, so that tests can put any words into one. What it says of the key
// index stays as in an old one.
func EncodeCheckpoint(old []byte, at int64, saved message.LogOffset, entries int64) []byte {
	state := checkpointState{physicalAt: at, logicsAt: at, saved: saved, entries: entries, own: true}
	state.mark = decodeCheckpoint(old).mark
	return state.encode()
}

// RemoveLogBefore removes the files of the log that end at or before a place.
func RemoveLogBefore(s *Store, at message.LogOffset) error {
	_, err := s.log.RemoveBefore(int64(at))
	return err
}
