package broker

import (
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/node/measure"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// Snapshot shows what was measured as metrics. It needs no baton: whatever it sorts and formats keeps nobody waiting.
func (m *Measurement) Snapshot() *measure.Snapshot {
	s := &measure.Snapshot{Common: m.common}
	s.AddFlag(measure.Ready, m.ready == "")
	m.showLoad(s)
	m.showFlows(s)
	m.showIncoming(s)
	m.showClients(s)
	m.showLags(s)
	m.showStore(s)
	m.showDisk(s)
	m.showDelays(s)
	m.showTimers(s)
	m.showTransactions(s)
	m.repeats.show(s)
	m.showCopies(s)
	s.Add(measure.Visit, m.took.Seconds())
	s.Limit(m.limits.Series)
	return s
}

// String tells how much was measured.
func (m *Measurement) String() string {
	return strconv.Itoa(m.lags.count) + " queues of groups, gathered in " + m.took.String()
}

func (m *Measurement) showLoad(s *measure.Snapshot) {
	s.Add(metricPermission, float64(m.perm))
	s.Add(metricTopics, float64(m.topics))
	s.Add(metricGroups, float64(m.groups))
	s.Add(metricTPS, m.tps)
	s.Add(metricQPS, m.qps)
	s.Add(metricWatermark, float64(m.backlog.Appends), "send")
	s.Add(metricWatermark, float64(m.woken), "pull")
	s.Add(metricWatermark, float64(m.commits), "consumer_manager")
	s.Add(measure.Connections, float64(m.conns))
	s.Add(measure.Unanswered, float64(m.unanswered))
	s.Add(measure.Refused, float64(m.refused))
	s.Add(metricBusy, float64(m.busy))
	s.Add(metricHeld, float64(m.held))
	s.Add(metricConflicts, float64(m.conflicts))
	for _, n := range m.registered {
		s.AddFlag(metricRegistered, n.ok, n.address)
	}
	s.AddCalls(m.calls, proto.RequestName, proto.ResponseName)
	for _, made := range m.made {
		status := map[bool]string{true: "success", false: "failure"}[made.success]
		if made.group {
			s.AddReading(metricGroupMade, made.Reading, status)
		} else {
			s.AddReading(metricTopicMade, made.Reading, status, "false")
		}
	}
}

func (m *Measurement) showFlows(s *measure.Snapshot) {
	s.AddReading(metricAppends, m.appends)
	s.AddReading(metricPulls, m.pulls)
	s.Add(metricPullsMissed, float64(m.missed))
	s.Add(metricFailed, float64(m.sendFailed))
	s.Add(metricOnewayFailed, float64(m.onewayFailed))
	for status := store.AppendFailed; int(status) < len(m.sendsRefused); status++ {
		s.Add(metricRefused, float64(m.sendsRefused[status]), status.String())
	}
	for _, f := range m.pulled {
		s.Add(metricOut, float64(f.messages), f.group, f.topic, m.isSystem(f.groupTopic))
		s.Add(metricOutBytes, float64(f.bytes), f.group, f.topic, m.isSystem(f.groupTopic))
	}
	for _, f := range m.sentBack {
		s.Add(metricSentBack, float64(f.messages), f.group, f.topic)
	}
	for _, f := range m.dead {
		s.Add(metricDeadLetters, float64(f.messages), f.group, f.topic, m.isSystem(f.groupTopic))
	}
	for _, f := range m.filterFailures {
		s.Add(metricFilterFailure, float64(f.messages), f.group)
	}
	s.Add(metricDeadTotal, float64(m.deadTotal))
	s.Add(metricUncounted, float64(m.uncounted))
}

// isSystem is the value of the label is_system: the broker's own topics, and groups that tools and the broker itself use.
func (m *Measurement) isSystem(of groupTopic) string {
	return strconv.FormatBool(m.system(of.topic) || isSystemGroup(of.group))
}

// isSystemGroup is what Java's metrics take for one.
func isSystemGroup(group string) bool {
	return strings.HasPrefix(strings.ToLower(group), "cid_rmq_sys_")
}

func (m *Measurement) showIncoming(s *measure.Snapshot) {
	for _, t := range m.incoming {
		system := strconv.FormatBool(m.system(t.topic))
		for kind, k := range t.kinds {
			if k.sizes == nil {
				continue
			}
			name := messageKind(kind).String()
			s.Add(metricIn, float64(k.messages), t.topic, name, system)
			s.Add(metricInBytes, float64(k.bytes), t.topic, name, system)
			s.AddReading(metricSize, k.sizes, t.topic, name, system)
		}
		if t.timersIn > 0 || t.timersOut > 0 {
			s.Add(metricTimerIn, float64(t.timersIn), t.topic)
			s.Add(metricTimerOut, float64(t.timersOut), t.topic)
		}
		if t.delays != nil {
			s.AddReading(metricDelayAsked, t.delays, t.topic, localStorage, diskStorage)
		}
	}
}

// The values of the labels of storage.
const localStorage, diskStorage = "local", "disk"

func (m *Measurement) showClients(s *measure.Snapshot) {
	// order does not matter: Limit sorts
	for kind, count := range m.producers {
		s.Add(metricProducers, float64(count), kind.spoken(), kind.described(), "remoting")
	}
	// order does not matter: likewise
	for kind, count := range m.consumers {
		s.Add(metricConsumers, float64(count), kind.group, kind.spoken(), kind.described(), consumeMode(kind.consumes), "remoting",
			strconv.FormatBool(isSystemGroup(kind.group)))
	}
}

func (k memberKind) spoken() string { return strings.ToLower(k.language.String()) }

func (k memberKind) described() string { return strings.ToLower(wire.VersionDescription(k.version)) }

func consumeMode(t proto.ConsumeType) string {
	switch t {
	case proto.ConsumePull:
		return "pull"
	case proto.ConsumePop:
		return "pop"
	}
	return "push"
}

func (m *Measurement) showLags(s *measure.Snapshot) {
	members := map[string]bool{}
	// order does not matter: Limit sorts
	for key, g := range sumLags(&m.lags) {
		labels := []string{key.group, key.topic, strconv.FormatBool(proto.IsRetryTopic(key.topic)), m.isSystem(key)}
		weight := float64(g.lag)
		s.AddWeighed(weight, metricLag, float64(g.lag), labels...)
		s.AddWeighed(weight, metricLagLatency, m.since(g.oldest), labels...)
		s.AddWeighed(weight, metricInflight, float64(g.inflight), labels...)
		s.AddWeighed(weight, metricQueueing, m.since(g.unpulled), labels...)
		s.AddWeighed(weight, metricWaitingPull, float64(g.ready), labels...)
		s.AddWeighed(weight, metricOldest, m.since(g.oldest)/1000, key.group, key.topic)
		if !members[key.group] {
			members[key.group] = true
			s.Add(metricMembers, float64(m.members[key.group]), key.group)
		}
	}
	m.lags.each(func(q *queueLag) {
		id, weight := strconv.Itoa(int(q.Queue)), float64(q.behind())
		s.AddWeighed(weight, metricQueueLag, weight, q.Group, q.Topic, id)
		s.AddWeighed(weight, metricQueueLagAge, m.since(q.oldest)/1000, q.Group, q.Topic, id)
	})
	s.Add(metricAgesUnread, float64(m.unread))
	s.Add(metricQueuesUnseen, float64(m.unseen))
}

// since is how many milliseconds ago something was; 0 if it never was, or the calendar was set back.
func (m *Measurement) since(wall int64) float64 {
	if wall == 0 {
		return 0
	}
	return float64(max(m.wall-wall, 0))
}

func (m *Measurement) showStore(s *measure.Snapshot) {
	s.Add(metricWritten, float64(m.written))
	s.Add(metricFlushed, float64(m.flushed))
	s.Add(metricConfirmed, float64(m.confirmed))
	s.Add(metricFirst, float64(m.first))
	s.Add(metricWaitingBytes, float64(m.backlog.Bytes))
	s.Add(metricWaiting, float64(m.backlog.Appends))
	s.Add(metricOldestAppend, m.backlog.Oldest.Seconds())
	s.AddReading(metricFlushes, m.flushes)
	s.Add(metricFlushedBytes, float64(m.flushedBytes))
	s.AddFlag(metricFenced, m.fenced)
	s.AddFlag(metricRefusing, m.refusing)
	s.Add(metricQueues, float64(m.queues))
	s.Add(metricOpenFiles, float64(m.openFiles))
	s.Add(metricStorage, float64(m.sizes.Log+m.sizes.Queues+m.sizes.Index), localStorage, diskStorage)
	s.Add(metricUnflushed, float64(m.written-m.flushed), localStorage, diskStorage)
	s.Add(metricUnindexed, float64(m.indexBehind), localStorage, diskStorage)
	s.Add(metricReserve, m.since(m.earliest), localStorage, diskStorage)
	s.Add(metricFiles, float64(m.sizes.Log), "log")
	s.Add(metricFiles, float64(m.sizes.Queues), "queues")
	s.Add(metricFiles, float64(m.sizes.Index), "index")
}

func (m *Measurement) showDisk(s *measure.Snapshot) {
	s.Add(metricCleaned, float64(m.cleaned.Files))
	s.Add(metricCleanedBytes, float64(m.cleaned.Bytes))
	s.Add(metricForced, float64(m.cleaned.ForcedFiles))
	s.Add(metricForcedBytes, float64(m.cleaned.ForcedBytes))
	s.Add(metricLost, float64(m.cleaned.Lost))
	if m.diskSize > 0 {
		s.Add(metricDiskUsed, float64(m.diskUsed))
		s.Add(metricDiskTotal, float64(m.diskSize))
	}
	s.Add(metricDiskRefuse, m.diskLimits.Refuse)
	s.Add(metricDiskForce, m.diskLimits.Force)
}

func (m *Measurement) showDelays(s *measure.Snapshot) {
	for i, waiting := range m.delayed {
		s.Add(metricDelayed, float64(waiting), strconv.Itoa(i+1))
	}
	s.AddReading(metricLate, m.late)
	s.Add(metricDelayLost, float64(m.delayLost))
}
