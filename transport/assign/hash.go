package assign

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"strconv"
)

// Numbers of virtual nodes of one member.
const (
	DefaultVirtualNodes = 10
	MaxVirtualNodes     = 1 << 16
)

// ConsistentHash gives a queue to the member whose virtual node comes next to it on a ring of hashes, so that few queues change hands when
// members come and go (class AllocateMessageQueueConsistentHash). Shares differ in size, and may be empty.
type ConsistentHash struct {
	// VirtualNodes is how often each member stands on the ring ("virtualNodeCnt"), from 1 to MaxVirtualNodes; 0 means
	// DefaultVirtualNodes. All members must have the same.
	VirtualNodes int
	// Hash, if not nil, replaces the usual hash (interface HashFunction). All members must have the same.
	Hash func(key string) int64
}

// Name is CONSISTENT_HASH.
func (ConsistentHash) Name() string { return "CONSISTENT_HASH" }

// Assign is as in Strategy, and fails with ErrSettings too.
func (s ConsistentHash) Assign(group, member string, queues []Queue, members []string) ([]Queue, error) {
	if _, err := check(group, member, queues, members); err != nil {
		return nil, err
	}
	if s.VirtualNodes < 0 || s.VirtualNodes > MaxVirtualNodes {
		return nil, fmt.Errorf("%w: ConsistentHash.VirtualNodes is %d: choose 1 to %d", ErrSettings, s.VirtualNodes, MaxVirtualNodes)
	}
	ring := s.ring(members)
	var share []Queue
	for _, queue := range queues {
		if ring.owner(queueKey(queue)) == member {
			share = append(share, queue)
		}
	}
	return share, nil
}

func (s ConsistentHash) ring(members []string) *ring {
	virtualNodes, hash := s.VirtualNodes, s.Hash
	if virtualNodes == 0 {
		virtualNodes = DefaultVirtualNodes
	}
	if hash == nil {
		hash = hashMD5
	}
	return newRing(members, virtualNodes, hash)
}

// queueKey is what a queue is hashed by: the text that Java shows of it (MessageQueue.toString).
func queueKey(q Queue) string {
	return "MessageQueue [topic=" + q.Topic + ", brokerName=" + q.BrokerName + ", queueId=" + strconv.Itoa(int(q.QueueID)) + "]"
}

// hashMD5 takes the first four bytes of the MD5 sum, big endian, as a number that is not negative (class MD5Hash inside
// ConsistentHashRouter).
func hashMD5(key string) int64 {
	sum := md5.Sum([]byte(key))
	return int64(binary.BigEndian.Uint32(sum[:]))
}
