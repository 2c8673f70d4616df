package message

import "strconv"

// LogOffset is the position of a byte in the commit log, counted from the first
// byte the log ever had. A record's LogOffset is that of its first byte.
// The protocol calls it physical offset, commitLogOffset or phyOffset.
type LogOffset int64

// String names the kind of offset, so that two kinds are not confused in a log line.
func (o LogOffset) String() string { return "log offset " + strconv.FormatInt(int64(o), 10) }

// QueueOffset is the number of a message in its queue, counted from 0 without gaps.
// The protocol calls it queueOffset, logic offset or consume queue offset.
type QueueOffset int64

// String names the kind of offset, so that two kinds are not confused in a log line.
func (o QueueOffset) String() string { return "queue offset " + strconv.FormatInt(int64(o), 10) }
