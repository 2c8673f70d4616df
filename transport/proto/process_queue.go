package proto

import (
	"encoding/json"
	"fmt"
)

// ProcessQueueInfo is what a consumer has of one queue (class ProcessQueueInfo), a part of
// ConsumerRunningInfo. Times are wall milliseconds of the client.
type ProcessQueueInfo struct {
	Queue           Queue
	CommitOffset    int64 // commitOffset: the next to consume
	CachedMin       int64 // cachedMsgMinOffset: first message that waits for consumption, 0 if none
	CachedMax       int64 // cachedMsgMaxOffset: last one
	Cached          int32 // cachedMsgCount
	CachedMebibytes int32 // cachedMsgSizeInMiB
	ConsumingMin    int64 // transactionMsgMinOffset: first message that is being consumed in order, 0 if none
	ConsumingMax    int64 // transactionMsgMaxOffset: last one
	Consuming       int32 // transactionMsgCount
	Locked          bool  // locked: by LockBatch, for consumption in order
	UnlockTries     int64 // tryUnlockTimes
	LockedAt        int64 // lastLockTimestamp
	Dropped         bool  // droped (spelled so; dropped from Go clients): the queue is another member's now
	PulledAt        int64 // lastPullTimestamp
	ConsumedAt      int64 // lastConsumeTimestamp
}

// String shows the queue and what waits.
func (q *ProcessQueueInfo) String() string {
	return fmt.Sprintf("%s next %d, %d cached", q.Queue, q.CommitOffset, q.Cached)
}

// UnmarshalJSON reads strict JSON. The queue is in the key, which is not seen here.
func (q *ProcessQueueInfo) UnmarshalJSON(text []byte) error {
	var in struct {
		CommitOffset            looseInt64 `json:"commitOffset"`
		CachedMsgMinOffset      looseInt64 `json:"cachedMsgMinOffset"`
		CachedMsgMaxOffset      looseInt64 `json:"cachedMsgMaxOffset"`
		CachedMsgCount          looseInt32 `json:"cachedMsgCount"`
		CachedMsgSizeInMiB      looseInt32 `json:"cachedMsgSizeInMiB"`
		TransactionMsgMinOffset looseInt64 `json:"transactionMsgMinOffset"`
		TransactionMsgMaxOffset looseInt64 `json:"transactionMsgMaxOffset"`
		TransactionMsgCount     looseInt32 `json:"transactionMsgCount"`
		Locked                  looseBool  `json:"locked"`
		TryUnlockTimes          looseInt64 `json:"tryUnlockTimes"`
		LastLockTimestamp       looseInt64 `json:"lastLockTimestamp"`
		Droped                  looseBool  `json:"droped"`
		Dropped                 looseBool  `json:"dropped"`
		LastPullTimestamp       looseInt64 `json:"lastPullTimestamp"`
		LastConsumeTimestamp    looseInt64 `json:"lastConsumeTimestamp"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*q = ProcessQueueInfo{
		CommitOffset:    int64(in.CommitOffset),
		CachedMin:       int64(in.CachedMsgMinOffset),
		CachedMax:       int64(in.CachedMsgMaxOffset),
		Cached:          int32(in.CachedMsgCount),
		CachedMebibytes: int32(in.CachedMsgSizeInMiB),
		ConsumingMin:    int64(in.TransactionMsgMinOffset),
		ConsumingMax:    int64(in.TransactionMsgMaxOffset),
		Consuming:       int32(in.TransactionMsgCount),
		Locked:          bool(in.Locked),
		UnlockTries:     int64(in.TryUnlockTimes),
		LockedAt:        int64(in.LastLockTimestamp),
		Dropped:         bool(in.Droped || in.Dropped),
		PulledAt:        int64(in.LastPullTimestamp),
		ConsumedAt:      int64(in.LastConsumeTimestamp),
	}
	return nil
}

func (w *writer) processQueues(queues []ProcessQueueInfo) {
	w.key("mqTable")
	w.open('{')
	for i := range queues {
		w.queueKey(queues[i].Queue)
		w.processQueue(&queues[i])
	}
	w.close('}')
}

func (w *writer) processQueue(q *ProcessQueueInfo) {
	w.open('{')
	w.integerMember("cachedMsgCount", int64(q.Cached))
	w.integerMember("cachedMsgMaxOffset", q.CachedMax)
	w.integerMember("cachedMsgMinOffset", q.CachedMin)
	w.integerMember("cachedMsgSizeInMiB", int64(q.CachedMebibytes))
	w.integerMember("commitOffset", q.CommitOffset)
	w.booleanMember("droped", q.Dropped)
	w.integerMember("lastConsumeTimestamp", q.ConsumedAt)
	w.integerMember("lastLockTimestamp", q.LockedAt)
	w.integerMember("lastPullTimestamp", q.PulledAt)
	w.booleanMember("locked", q.Locked)
	w.integerMember("transactionMsgCount", int64(q.Consuming))
	w.integerMember("transactionMsgMaxOffset", q.ConsumingMax)
	w.integerMember("transactionMsgMinOffset", q.ConsumingMin)
	w.integerMember("tryUnlockTimes", q.UnlockTries)
	w.close('}')
}

// PopProcessQueueInfo is what a consumer that pops has of one queue (class
// PopProcessQueueInfo, since 5.0), a part of ConsumerRunningInfo.
type PopProcessQueueInfo struct {
	Queue      Queue
	Unfinished int32 // waitAckCount: messages popped and not acknowledged
	Dropped    bool  // droped (spelled so): the queue is another member's now
	PoppedAt   int64 // lastPopTimestamp: wall milliseconds of the client
}

// String shows the queue and what waits.
func (q *PopProcessQueueInfo) String() string {
	return fmt.Sprintf("%s, %d popped and unfinished", q.Queue, q.Unfinished)
}

// UnmarshalJSON reads strict JSON. The queue is in the key, which is not seen here.
func (q *PopProcessQueueInfo) UnmarshalJSON(text []byte) error {
	var in struct {
		WaitAckCount     looseInt32 `json:"waitAckCount"`
		Droped           looseBool  `json:"droped"`
		LastPopTimestamp looseInt64 `json:"lastPopTimestamp"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*q = PopProcessQueueInfo{Unfinished: int32(in.WaitAckCount), Dropped: bool(in.Droped), PoppedAt: int64(in.LastPopTimestamp)}
	return nil
}

func (w *writer) popQueues(queues []PopProcessQueueInfo) {
	w.key("mqPopTable")
	w.open('{')
	for _, q := range queues {
		w.queueKey(q.Queue)
		w.open('{')
		w.booleanMember("droped", q.Dropped)
		w.integerMember("lastPopTimestamp", q.PoppedAt)
		w.integerMember("waitAckCount", int64(q.Unfinished))
		w.close('}')
	}
	w.close('}')
}
