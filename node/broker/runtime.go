package broker

import (
	"fmt"
	"strconv"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// runtimeInfo handles GET_BROKER_RUNTIME_INFO: what tools show of a running broker. It waits for the disk.
func (b *Broker) runtimeInfo(in *transport.Incoming) {
	var earliest string
	var disk diskState
	b.await(in, func() { earliest, disk = b.earliestStored(), b.diskState() })
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	cleaned := b.store.Cleaned()
	table := proto.KVTable{Table: map[string]string{
		"brokerVersion":            number(wire.OwnVersion),
		"brokerVersionDesc":        wire.VersionName(wire.OwnVersion),
		"bootTimestamp":            number(int64(b.startAt)),
		"brokerActive":             strconv.FormatBool(b.store.Health() == nil),
		"msgPutTotalTodayNow":      number(b.stats.sent),
		"msgGetTotalTodayNow":      number(b.stats.pulled),
		"sendFailedTotal":          number(b.stats.sendFailed),
		"getTransferedBytesTotal":  number(b.stats.pulledBytes),
		"commitLogMinOffset":       number(int64(b.store.Start())),
		"commitLogMaxOffset":       number(int64(b.store.Written())),
		"commitLogFlushedOffset":   number(int64(b.store.Flushed())),
		"commitLogDiskRatio":       disk.ratio,
		"consumeQueueDiskRatio":    disk.ratio,
		"commitLogDirCapacity":     disk.capacity,
		"earliestMessageTimeStamp": earliest,
		"cleanedFiles":             number(cleaned.Files),
		"cleanedBytes":             number(cleaned.Bytes),
		"forciblyCleanedFiles":     number(cleaned.ForcedFiles),
		"forciblyCleanedBytes":     number(cleaned.ForcedBytes),
		"forciblyCleanedMessages":  number(cleaned.Lost),
		"pullWaitingRequests":      number(int64(b.waiting.count)),
		"connections":              number(int64(len(b.server.Conns()))),
		"topics":                   number(int64(len(b.topics.byName))),
		"consumerGroups":           number(int64(len(b.groups.byName))),
	}}
	in.Reply().Success(table.Marshal())
}

// diskState is how full the disk is, as tools show it.
type diskState struct{ ratio, capacity string }

func (b *Broker) diskState() diskState {
	used, total, err := b.env.Disk.Usage()
	if err != nil || total <= 0 {
		return diskState{"unknown", "unknown"}
	}
	gibibytes := func(bytes int64) float64 { return float64(bytes) / (1 << 30) }
	return diskState{
		ratio:    strconv.FormatFloat(float64(used)/float64(total), 'f', 4, 64),
		capacity: fmt.Sprintf("Total : %.2f GiB, Free : %.2f GiB.", gibibytes(total), gibibytes(total-used)),
	}
}

// earliestStored is when the oldest message of the log was stored, wall milliseconds; -1 if there is none, or it cannot be read.
func (b *Broker) earliestStored() string {
	raw, err := b.store.RecordBytes(b.store.Start())
	at, ok := message.PeekStoredAt(raw)
	if err != nil || !ok {
		at = -1
	}
	return strconv.FormatInt(at, 10)
}
