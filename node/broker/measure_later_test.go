package broker_test

import (
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/measure"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// sumOf is the sum of a histogram's observations.
func sumOf(t *testing.T, s *measure.Snapshot, metric string) float64 {
	t.Helper()
	for _, sample := range s.Samples {
		if sample.Metric.Name == metric {
			return sample.Reading.Sum
		}
	}
	require.Fail(t, "not measured", metric)
	return 0
}

func absent(t *testing.T, s *measure.Snapshot, metric string) {
	t.Helper()
	for _, sample := range s.Samples {
		require.NotEqual(t, metric, sample.Metric.Name, "%v", sample)
	}
}

func TestTransactionsAreCountedAsTheyEnd(t *testing.T) {
	w := newWorld(t)
	s := w.measured()
	requireValue(t, 0, s, "gantry_transactions_open")
	requireValue(t, 0, s, "gantry_transactions_oldest_open_seconds")
	absent(t, s, "rocketmq_half_messages")
	kept, dropped := w.beginTransaction("kept"), w.beginTransaction("dropped")
	w.beginTransaction("open")
	w.pass(4 * time.Second)
	s = w.measured()
	requireValue(t, 3, s, "rocketmq_half_messages", "orders")
	requireValue(t, 3, s, "gantry_transactions_open")
	require.InDelta(t, 4, valueOf(t, s, "gantry_transactions_oldest_open_seconds"), 0.5)
	absent(t, s, "rocketmq_commit_messages_total")
	for range 2 {
		w.succeeds(endRequest(kept, proto.OutcomeCommit))
		w.succeeds(endRequest(dropped, proto.OutcomeRollback))
	}
	s = w.measured()
	requireValue(t, 1, s, "rocketmq_half_messages", "orders")
	requireValue(t, 1, s, "rocketmq_commit_messages_total", "orders")
	requireValue(t, 1, s, "rocketmq_rollback_messages_total", "orders")
	requireValue(t, 1, s, "rocketmq_finish_message_latency", "orders")
	requireValue(t, 3, s, "rocketmq_messages_in_total", "orders", "transaction")

	w.restart(sim.PowerLoss)
	w.pass(time.Second)
	requireValue(t, 1, w.measured(), "rocketmq_half_messages", "orders")
	w.succeeds(deleteTopicRequest("orders"))
	s = w.measured()
	absent(t, s, "rocketmq_commit_messages_total")
	requireValue(t, 1, s, "gantry_transactions_open")
}

// The latency of a transaction counts from when its message was born, which the sender says.
func TestATransactionTookFromTheBirthOfItsMessageToItsCommit(t *testing.T) {
	w := newWorld(t)
	request := sendRequest("orders", 1, "x", "TRAN_MSG\x01true\x02PGROUP\x01p\x02UNIQ_KEY\x01u\x02")
	request.Header.(*proto.SendMessageShort).BornAt = int64(w.machine.Wall()) - 90_000
	w.succeeds(request)
	h := half{0, 0, "u"}
	w.pass(10 * time.Second)
	w.succeeds(endRequest(h, proto.OutcomeCommit))
	s := w.measured()
	require.InDelta(t, 100, sumOf(t, s, "rocketmq_finish_message_latency"), 0.5)
	requireValue(t, 0, s, "rocketmq_half_messages", "orders")
	requireValue(t, 0, s, "rocketmq_rollback_messages_total", "orders")
}

func TestQuestionsAboutTransactionsAreCounted(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) {
		o.TransactionTimeout, o.TransactionCheckEvery, o.TransactionChecksMax = time.Second, time.Second, 2
	})
	w.beginTransaction("x")
	w.pass(2500 * time.Millisecond)
	s := w.measured()
	requireValue(t, 2, s, "gantry_transaction_checks_unasked_total")
	requireValue(t, 0, s, "gantry_transaction_checks_total")
	w.succeeds(producerHeartbeat("p"))
	w.pass(5 * time.Second)
	s = w.measured()
	requireValue(t, 2, s, "gantry_transaction_checks_total")
	requireValue(t, 2, s, "gantry_transaction_checks_unasked_total")
	requireValue(t, 1, s, "gantry_transactions_given_up_total")
	requireValue(t, 0, s, "gantry_transactions_open")
	absent(t, s, "rocketmq_rollback_messages_total")
}

func TestTimersAreCountedByTopicAndByWhenTheyAreDue(t *testing.T) {
	w := newWorld(t)
	for _, after := range []time.Duration{3 * time.Second, 2 * time.Minute, 2 * time.Minute, 2 * time.Hour, 48 * time.Hour} {
		w.timed(after.String(), after)
	}
	gone := w.timed("gone", 3*time.Second)
	w.succeeds(recallRequest("orders", gone))
	w.pass(time.Second)
	s := w.measured()
	requireValue(t, 6, s, "rocketmq_timing_messages", "orders")
	requireValue(t, 7, s, "rocketmq_timer_dequeue_lag", "local", "disk")
	requireValue(t, 0, s, "rocketmq_timer_enqueue_latency", "local", "disk")
	for bound, count := range map[string]float64{"5": 3, "60": 0, "300": 2, "900": 0, "3600": 0, "14400": 1, "28800": 0, "86400": 0} {
		requireValue(t, count, s, "rocketmq_timer_message_snapshot", bound)
	}
	w.pass(11 * time.Second) // it is saved
	for _, style := range []sim.CrashStyle{sim.KillProcess, sim.PowerLoss} {
		s = w.measured()
		requireValue(t, 4, s, "rocketmq_timing_messages", "orders")
		requireValue(t, 4, s, "rocketmq_timer_dequeue_lag")
		w.restart(style)
		w.pass(time.Second)
	}
	w.pass(50 * time.Hour)
	s = w.measured()
	absent(t, s, "rocketmq_timing_messages")
	requireValue(t, 0, s, "rocketmq_timer_dequeue_lag")
}

// What is delivered after the calendar was saved does not wait any more after a crash, and what came after it does.
func TestTimersAreCountedRightAfterACrash(t *testing.T) {
	w := newWorld(t)
	w.timed("delivered", 14*time.Second)
	w.timed("waits", time.Hour)
	w.pass(12 * time.Second)
	w.timed("new", time.Hour)
	w.timed("new and delivered", time.Second)
	w.pass(5 * time.Second)
	w.restart(sim.KillProcess)
	w.pass(time.Second)
	requireValue(t, 2, w.measured(), "rocketmq_timing_messages", "orders")
}
