package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/measure"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// measured is what the broker measures now.
func (w *world) measured() *measure.Snapshot {
	w.t.Helper()
	return w.visit().Snapshot()
}

func (w *world) visit() (m *broker.Measurement) {
	w.t.Helper()
	done := false
	w.machine.Node("broker", ".").Tasks.Go("measure", func() { m, done = w.broker.Measure(), true })
	w.kernel.Run(w.kernel.Now().Add(time.Minute), func() bool { return done })
	require.True(w.t, done)
	return m
}

// valueOf is the value, or the number of observations, of the one series of a metric that has these labels first.
func valueOf(t *testing.T, s *measure.Snapshot, metric string, labels ...string) float64 {
	t.Helper()
	var found []measure.Sample
	for _, sample := range s.Samples {
		if sample.Metric.Name == metric && len(sample.Labels) >= len(labels) && strings.Join(sample.Labels[:len(labels)], "\n") == strings.Join(labels, "\n") {
			found = append(found, sample)
		}
	}
	require.Len(t, found, 1, "%s%v", metric, labels)
	if found[0].Reading != nil {
		return float64(found[0].Reading.Count)
	}
	return found[0].Value
}

func requireValue(t *testing.T, want float64, s *measure.Snapshot, metric string, labels ...string) {
	t.Helper()
	require.InDelta(t, want, valueOf(t, s, metric, labels...), 0, "%s%v", metric, labels)
}

func (w *world) sends(topic string, queue int32, properties string) {
	w.t.Helper()
	require.EqualValues(w.t, proto.RespSuccess, w.call(sendRequest(topic, queue, "body", properties)).Code)
}

func TestMessagesAreCountedByTheirType(t *testing.T) {
	w := newWorld(t)
	for properties, times := range map[string]int{"": 3, "__SHARDINGKEY\x01k\x02": 2, "DELAY\x012\x02": 1, "SHARDING_KEY\x01k": 1} {
		for range times {
			w.sends("orders", 0, properties)
		}
	}
	s := w.measured()
	requireValue(t, 3, s, "rocketmq_messages_in_total", "orders", "normal", "false")
	requireValue(t, 3, s, "rocketmq_messages_in_total", "orders", "fifo", "false")
	requireValue(t, 1, s, "rocketmq_messages_in_total", "orders", "delay", "false")
	requireValue(t, 1, s, "rocketmq_delay_message_latency", "orders", "local", "disk")
	requireValue(t, 1, s, "gantry_delay_backlog_messages", "2")
	requireValue(t, 7, s, "gantry_append_seconds")
	requireValue(t, 7, s, "rocketmq_rpc_latency", "remoting", "SEND_MESSAGE_V2", "SUCCESS", "false", "success")
	require.Greater(t, valueOf(t, s, "rocketmq_throughput_in_total", "orders", "normal"), 3*100.0)
	require.GreaterOrEqual(t, valueOf(t, s, "gantry_store_flush_seconds"), 1.0)
	require.Equal(t, valueOf(t, s, "gantry_store_flushed_offset"), valueOf(t, s, "gantry_store_flushed_bytes_total"))

	w.sends("other", 0, "")
	require.EqualValues(t, proto.RespSuccess, w.call(deleteTopicRequest("orders")).Code)
	s = w.measured()
	requireValue(t, 1, s, "rocketmq_messages_in_total", "other", "normal", "false")
	for _, sample := range s.Samples {
		require.False(t, len(sample.Labels) > 0 && sample.Labels[0] == "orders", "%v is of a topic that is gone", sample)
	}
}

func TestTheLagOfAGroupIsTheSumOfItsQueuesAndAsOldAsTheOldestMessage(t *testing.T) {
	w := newWorld(t)
	w.sends("orders", 0, "")
	w.pass(10 * time.Second)
	for range 3 {
		w.sends("orders", 1, "")
	}
	w.succeeds(commitRequest("g", "orders", 0, 0))
	w.succeeds(commitRequest("g", "orders", 1, 1))
	w.pass(5 * time.Second)
	s := w.measured()
	of := []string{"g", "orders", "false", "false"}
	requireValue(t, 3, s, "rocketmq_consumer_lag_messages", of...)
	requireValue(t, 3, s, "rocketmq_consumer_ready_messages", of...)
	requireValue(t, 0, s, "rocketmq_consumer_inflight_messages", of...)
	requireValue(t, 2, s, "gantry_consumer_queue_lag_messages", "g", "orders", "1")
	require.InDelta(t, 15_000, valueOf(t, s, "rocketmq_consumer_lag_latency", of...), 500)
	require.InDelta(t, 15, valueOf(t, s, "gantry_consumer_oldest_unconsumed_seconds", "g", "orders"), 0.5)
	require.InDelta(t, 5, valueOf(t, s, "gantry_consumer_queue_lag_seconds", "g", "orders", "1"), 0.5)
	requireValue(t, 0, s, "gantry_consumer_members", "g")

	w.succeeds(commitRequest("g", "orders", 0, 1))
	w.succeeds(commitRequest("g", "orders", 1, 3))
	s = w.measured()
	requireValue(t, 0, s, "rocketmq_consumer_lag_messages", of...)
	requireValue(t, 0, s, "rocketmq_consumer_lag_latency", of...)
	requireValue(t, 0, s, "gantry_consumer_queue_lag_seconds", "g", "orders", "0")
}

func TestWhatIsPulledAndNotConsumedIsInFlight(t *testing.T) {
	w := newWorld(t)
	for range 4 {
		w.sends("orders", 0, "")
	}
	w.succeeds(commitRequest("g", "orders", 0, 1))
	require.EqualValues(t, proto.RespSuccess, w.call(pullRequest("orders", 0, 3, 0, "*")).Code)
	s := w.measured()
	of := []string{"g", "orders", "false", "false"}
	requireValue(t, 3, s, "rocketmq_consumer_lag_messages", of...)
	requireValue(t, 2, s, "rocketmq_consumer_inflight_messages", of...)
	requireValue(t, 1, s, "rocketmq_consumer_ready_messages", of...)
	requireValue(t, 1, s, "rocketmq_messages_out_total", "g", "orders", "false")
	requireValue(t, 1, s, "gantry_pull_seconds")
}

func TestAgesBeyondTheLimitAreReadLaterAndCounted(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Measuring = broker.MeasureLimits{Ages: 2, Series: 3} })
	for queue := range int32(4) {
		w.sends("orders", queue, "")
		w.succeeds(commitRequest("g", "orders", queue, 0))
	}
	first := w.measured()
	requireValue(t, 2, first, "gantry_metrics_ages_unread")
	requireValue(t, 4, first, "rocketmq_consumer_lag_messages", "g", "orders")
	require.Equal(t, 1, leftOut(first, "gantry_consumer_queue_lag_messages"))
	require.Zero(t, leftOut(first, "rocketmq_consumer_lag_messages"))
	requireValue(t, 0, w.measured(), "gantry_metrics_ages_unread")
}

func leftOut(s *measure.Snapshot, metric string) int {
	for m, count := range s.LeftOut {
		if m.Name == metric {
			return count
		}
	}
	return -1
}

func TestQueuesBeyondTheLimitAreCounted(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.Measuring.Queues = 3 })
	for queue := range int32(4) {
		w.sends("orders", queue, "")
		w.succeeds(commitRequest("g", "orders", queue, 0))
	}
	requireValue(t, 1, w.measured(), "gantry_metrics_queues_unseen")
}

func TestABrokerTellsThatItsLogIsFenced(t *testing.T) {
	w := newWorld(t)
	w.sends("orders", 0, "")
	require.Empty(t, w.broker.NotReady())
	require.NoError(t, w.broker.Fenced())
	o := w.machine.Disk().Options()
	o.SyncError = 1
	w.machine.Disk().SetOptions(o)
	require.NotEqualValues(t, proto.RespSuccess, w.call(sendRequest("orders", 0, "lost", "")).Code)
	require.Error(t, w.broker.Fenced())
	require.Contains(t, w.broker.NotReady(), "messages are refused: a sync of the log failed")
	s := w.measured()
	requireValue(t, 1, s, "gantry_store_fenced")
	requireValue(t, 1, s, "gantry_store_refusing")
	requireValue(t, 0, s, "gantry_ready")
	requireValue(t, 1, s, "gantry_sends_refused_total", "failed")
	requireValue(t, 1, s, "gantry_sends_failed_total")
}

func TestHeldPullsAreNoSlowRequests(t *testing.T) {
	w := newWorld(t)
	w.sends("orders", 0, "")
	require.EqualValues(t, proto.RespPullNotFound, w.call(pullRequest("orders", 0, 1, 20*time.Second, "*")).Code)
	s := w.measured()
	requireValue(t, 1, s, "rocketmq_rpc_latency", "remoting", "PULL_MESSAGE", "PULL_NOT_FOUND", "true", "success")
	requireValue(t, 0, s, "gantry_held_pulls")
}

func TestDelayedMessagesThatComeLateAreTimed(t *testing.T) {
	w := newWorld(t)
	w.sends("orders", 0, "DELAY\x011\x02")
	w.machine.Crash(sim.KillProcess)
	w.pass(10 * time.Second)
	w.start()
	w.pass(time.Second)
	s := w.measured()
	requireValue(t, 1, s, "gantry_delay_lateness_seconds")
	for _, sample := range s.Samples {
		if sample.Metric.Name == "gantry_delay_lateness_seconds" {
			require.InDelta(t, 9, sample.Reading.Sum, 1.5)
		}
	}
}

func TestMessagesThatWaitForATimeOfTheirOwnAreCounted(t *testing.T) {
	w := newWorld(t)
	w.sends("orders", 0, "TIMER_DELAY_SEC\x0190\x02")
	w.pass(2 * time.Second)
	s := w.measured()
	requireValue(t, 1, s, "gantry_timer_waiting_messages")
	requireValue(t, 0, s, "rocketmq_timer_enqueue_lag")
	requireValue(t, 0, s, "rocketmq_timer_dequeue_latency")
	requireValue(t, 1, s, "rocketmq_messages_in_total", "orders", "delay")
	requireValue(t, 1, s, "rocketmq_delay_message_latency", "orders")
	requireValue(t, 1, s, "rocketmq_timer_enqueue_total", "orders")
	requireValue(t, 0, s, "rocketmq_timer_dequeue_total", "orders")
	w.pass(90 * time.Second)
	s = w.measured()
	requireValue(t, 0, s, "gantry_timer_waiting_messages")
	requireValue(t, 1, s, "rocketmq_timer_dequeue_total", "orders")
	requireValue(t, 1, s, "gantry_delay_lateness_seconds")
}

// Whoever measures gives others their turn: however many queues there are, a task that is ready runs before all are looked at.
func TestMeasuringManyQueuesKeepsNobodyWaiting(t *testing.T) {
	w := newWorld(t)
	w.sends("orders", 0, "")
	const groups, visits = 1000, 4
	for i := range groups {
		w.succeeds(commitRequest(fmt.Sprint("g", i), "orders", 0, 0))
	}
	w.visit() // from now on it knows how old the messages are, and need not ask the disk
	done, turns := false, 0
	e := w.machine.Node("broker", ".")
	e.Tasks.Go("measure", func() {
		for range 32 {
			e.Tasks.Go("others", func() {
				for !done {
					turns++
					e.Tasks.Yield()
				}
			})
		}
		for range visits {
			w.broker.WalkLags()
		}
		done = true
	})
	w.kernel.Run(w.kernel.Now().Add(time.Minute), func() bool { return done })
	require.True(t, done)
	// Both loops give a turn after every 128 queues; who gets it is drawn, and one may have to wait for long. But the others are many.
	require.Greater(t, turns, visits*groups/128)
}
