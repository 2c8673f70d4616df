package broker

import (
	"fmt"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/node/env"
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
	table := b.runtimeTable(b.env.Clock.Now())
	table["earliestMessageTimeStamp"] = earliest
	table["commitLogDiskRatio"], table["consumeQueueDiskRatio"], table["commitLogDirCapacity"] = disk.ratio, disk.ratio, disk.capacity
	in.Reply().Success((&proto.KVTable{Table: table}).Marshal())
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// runtimeTable is what can be told without the disk.
func (b *Broker) runtimeTable(now env.Instant) map[string]string {
	table := map[string]string{
		"brokerVersion":              number(wire.OwnVersion),
		"brokerVersionDesc":          wire.VersionDescription(wire.OwnVersion),
		"bootTimestamp":              number(int64(b.startAt)),
		"runtime":                    showRuntime(now.Sub(b.started)),
		"brokerActive":               strconv.FormatBool(b.store.Health() == nil),
		"pullWaitingRequests":        number(int64(b.waiting.count)),
		"connections":                number(int64(len(b.server.Conns()))),
		"topics":                     number(int64(len(b.topics.byName))),
		"consumerGroups":             number(int64(len(b.groups.byName))),
		"subscriptionConflicts":      number(b.clients.countConflicts()),
		"subscriptionConflictsTotal": number(b.clients.conflictsSeen),
	}
	b.showLog(table)
	b.showLoad(table)
	b.showRole(table)
	b.delays.show(table)
	b.timers.show(table)
	table["openTransactions"] = number(int64(len(b.transactions.open)))
	b.stats.show(table, now)
	b.filters.show(table, number)
	// What this broker has not, as a Java broker shows it that does not use it: tools ask for it.
	for _, key := range absentParts {
		table[key] = "0"
	}
	return table
}

// absentParts are keys of parts that this broker has not: thread pools and their queues, rates of timers, and a dispatcher behind the log.
var absentParts = []string{
	"sendThreadPoolQueueCapacity",
	"pullThreadPoolQueueSize", "pullThreadPoolQueueCapacity", "pullThreadPoolQueueHeadWaitTimeMills",
	"litePullThreadPoolQueueSize", "litePullThreadPoolQueueCapacity", "litePullThreadPoolQueueHeadWaitTimeMills",
	"queryThreadPoolQueueSize", "queryThreadPoolQueueCapacity", "queryThreadPoolQueueHeadWaitTimeMills",
	"ackThreadPoolQueueSize", "ackThreadPoolQueueCapacity", "ackThreadPoolQueueHeadWaitTimeMills",
	"EndTransactionQueueSize", "EndTransactionThreadPoolQueueCapacity",
	"timerEnqueueTps", "timerDequeueTps",
	"dispatchBehindBytes", "dispatchMaxBuffer", "pageCacheLockTimeMills", "startAcceptSendRequestTimeStamp",
}

func showRuntime(d time.Duration) string {
	d = d.Truncate(time.Second)
	return fmt.Sprintf("[ %d days, %d hours, %d minutes, %d seconds ]", d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60, d/time.Second%60)
}

// showLoad adds what waits, and what was refused because too much did. Sends wait for the disk, not for a thread.
func (b *Broker) showLoad(table map[string]string) {
	backlog := b.store.Backlog()
	table["sendThreadPoolQueueSize"] = number(int64(backlog.Appends))
	table["sendThreadPoolQueueHeadWaitTimeMills"] = number(backlog.Oldest.Milliseconds())
	table["sendWaitingBytes"] = number(int64(backlog.Bytes))
	table["unansweredRequests"] = number(int64(b.server.Unanswered()))
	table["refusedRequests"] = number(b.server.Refused())
}

func (b *Broker) showLog(table map[string]string) {
	cleaned := b.store.Cleaned()
	table["commitLogMinOffset"] = number(int64(b.store.Start()))
	table["commitLogMaxOffset"] = number(int64(b.store.Written()))
	table["commitLogFlushedOffset"] = number(int64(b.store.Flushed()))
	table["remainHowManyDataToFlush"] = fmt.Sprintf("%d B", b.store.Written()-b.store.Flushed())
	table["cleanedFiles"] = number(cleaned.Files)
	table["cleanedBytes"] = number(cleaned.Bytes)
	table["forciblyCleanedFiles"] = number(cleaned.ForcedFiles)
	table["forciblyCleanedBytes"] = number(cleaned.ForcedBytes)
	table["forciblyCleanedMessages"] = number(cleaned.Lost)
}

// show adds how far each delay level is: delivered messages, and all.
func (d *delays) show(table map[string]string) {
	for i, cursor := range d.cursors {
		_, end := d.broker.store.Bounds(d.queue(i + 1))
		table["scheduleMessageOffset_"+strconv.Itoa(i+1)] = fmt.Sprintf("%d,%d", cursor, end)
	}
	table["scheduleMessagesLost"] = number(d.lost)
}

// show adds how many messages wait for a time of their own, how many of them are not sorted in yet, and by how many milliseconds the first one is late.
func (t *timers) show(table map[string]string) {
	_, end := t.broker.store.Bounds(timerQueue)
	waiting, late := 0, int64(0)
	if t.calendar != nil {
		waiting = t.calendar.Waiting()
		if due, some := t.calendar.DueSince(); some {
			late = max(int64(t.broker.env.Clock.Wall())-due, 0)
		}
	}
	table["timerCongestNum"] = number(int64(waiting))
	table["timerOffsetBehind"] = number(int64(max(end-t.next, 0)))
	table["timerReadBehind"] = number(late)
	table["timedMessagesLost"] = number(t.lost)
}

// calendarDay is a number of the day on the calendar of the broker's zone.
func (b *Broker) calendarDay() int {
	at := b.env.Clock.Wall().Time()
	if zone := b.options.Store.Zone; zone != nil {
		at = at.In(zone)
	}
	return at.Year()*1000 + at.YearDay()
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
