package proto

import (
	"encoding/json"
	"fmt"
)

// EpochCache is the body of the answer to ReqGetBrokerEpochCache (class EpochEntryCache): which master has written which part of a broker's log.
type EpochCache struct {
	Cluster    string  `json:"clusterName"`
	BrokerName string  `json:"brokerName"`
	BrokerID   int64   `json:"brokerId"` // as controllers know the broker, of a master, too
	Epochs     []Epoch `json:"epochList"`
	LogEnd     int64   `json:"maxOffset"`
}

// Epoch is a part of the log (class EpochEntry).
type Epoch struct {
	Number int32 `json:"epoch"`
	Start  int64 `json:"startOffset"`
	End    int64 `json:"endOffset"` // of the newest one math.MaxInt64, or the end of the log
}

// String tells whose epochs these are, and how many.
func (c *EpochCache) String() string {
	return fmt.Sprintf("%d epochs of %s id %d, log end %d", len(c.Epochs), c.BrokerName, c.BrokerID, c.LogEnd)
}

// Marshal writes the body.
func (c *EpochCache) Marshal() []byte {
	list := *c
	if list.Epochs == nil {
		list.Epochs = []Epoch{}
	}
	p, err := json.Marshal(list)
	if err != nil {
		panic(err) // texts and numbers only
	}
	return p
}

type epochCacheJSON struct {
	Cluster    looseString `json:"clusterName"`
	BrokerName looseString `json:"brokerName"`
	BrokerID   looseInt64  `json:"brokerId"`
	Epochs     []epochJSON `json:"epochList"`
	LogEnd     looseInt64  `json:"maxOffset"`
}

type epochJSON struct {
	Number looseInt32 `json:"epoch"`
	Start  looseInt64 `json:"startOffset"`
	End    looseInt64 `json:"endOffset"`
}

// UnmarshalEpochCache reads the body. The error is ErrBody.
func UnmarshalEpochCache(body []byte) (*EpochCache, error) {
	var in epochCacheJSON
	if err := unmarshal("EpochEntryCache", body, &in); err != nil {
		return nil, err
	}
	c := &EpochCache{Cluster: string(in.Cluster), BrokerName: string(in.BrokerName), BrokerID: int64(in.BrokerID), LogEnd: int64(in.LogEnd)}
	for _, e := range in.Epochs {
		c.Epochs = append(c.Epochs, Epoch{int32(e.Number), int64(e.Start), int64(e.End)})
	}
	return c, nil
}
