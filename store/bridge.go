package store

import (
	"bytes"
	"fmt"
	"net/netip"

	"github.com/gantrymq/gantry/transport/message"
)

// A bridge is a record over a damaged part of the log, whose bytes are its body: behind it the log goes on. It is a
// rollback, which belongs to no queue and has no keys, so neither we nor a Java broker deliver it. The messages that stood
// there have fillers in their queues, with the place of the bridge.

// bridgeTopic names the topic of bridges. It is short: they must fit where a small record stood.
const bridgeTopic = "DAMAGED"

func isBridge(r *message.Record) bool {
	return r.SysFlags.Transaction() == message.TransactionRolledBack && string(r.Topic) == bridgeTopic
}

// bridgeOverhead is what a bridge has beside the bytes that it keeps.
const bridgeOverhead = recordHead + len(bridgeTopic) + checksumSize

// bridgeOver makes the record over the damaged bytes, which stand at a place. There must be at least bridgeOverhead of them.
func bridgeOver(damaged []byte, at message.LogOffset, storedAt int64) ([]byte, error) {
	nobody := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	r := message.Record{
		Topic: []byte(bridgeTopic), Body: damaged[:len(damaged)-bridgeOverhead], Properties: checksumSpace,
		SysFlags: message.SysFlags(0).WithTransaction(message.TransactionRolledBack), BornHost: nobody, StoreHost: nobody, BornAt: storedAt,
	}
	p, err := message.AppendRecord(nil, &r)
	if err != nil {
		return nil, err
	}
	if len(p) != len(damaged) {
		return nil, fmt.Errorf("a bridge of %d bytes cannot stand over %d", len(p), len(damaged))
	}
	message.PatchRecord(p, 0, at, storedAt)
	sealRecord(p)
	return p, nil
}

// bridgeToEnd is what stands over damaged bytes that reach to the end of their file: a marker, and before it, unless nothing but the marker
// was damaged, a bridge: without one, the queues could not go on behind the messages that are lost.
func bridgeToEnd(damaged []byte, at message.LogOffset, storedAt int64) ([]byte, error) {
	onlyMarker := len(damaged) <= message.EndOfFileSize || len(bytes.Trim(damaged[message.EndOfFileSize:], "\x00")) == 0
	if onlyMarker || len(damaged) < bridgeOverhead+message.EndOfFileSize {
		return message.AppendEndOfFile(nil, int32(len(damaged))), nil
	}
	p, err := bridgeOver(damaged[:len(damaged)-message.EndOfFileSize], at, storedAt)
	return message.AppendEndOfFile(p, message.EndOfFileSize), err
}

// gap allows the numbers of a queue to go on behind a bridge.
type gap struct {
	bridges []message.LogOffset
	bytes   []int64
}

func (g *gap) note(r *message.Record) {
	g.bridges = append(g.bridges, r.LogOffset)
	g.bytes = append(g.bytes, int64(r.TotalSize))
}

// over returns the last bridge between two places, if those there have room for so many messages.
func (g *gap) over(from, to message.LogOffset, messages int64) (message.LogOffset, bool) {
	bridge, room := message.LogOffset(0), int64(0)
	for i, at := range g.bridges {
		if at >= from && at < to {
			bridge, room = at, room+g.bytes[i]/recordHead+1
		}
	}
	return bridge, messages > 0 && messages <= room
}
