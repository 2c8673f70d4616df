package broker_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// half is a half message that was sent.
type half struct {
	number, log int64
	id          string
}

// begin sends a half message.
func (w *world) beginTransaction(body string) half {
	w.t.Helper()
	response := w.succeeds(sendRequest("orders", 1, body, "TRAN_MSG\x01true\x02PGROUP\x01p\x02KEYS\x01k\x02UNIQ_KEY\x01unique-"+body+"\x02"))
	id, err := message.ParseOffsetID(response.Fields.String("msgId"))
	require.NoError(w.t, err)
	var number int64
	_, err = fmt.Sscan(response.Fields.String("queueOffset"), &number)
	require.NoError(w.t, err)
	require.Equal(w.t, "unique-"+body, response.Fields.String("transactionId"))
	return half{number, int64(id.LogOffset), response.Fields.String("transactionId")}
}

func endRequest(h half, outcome proto.TransactionOutcome) *transport.Request {
	return &transport.Request{Code: proto.ReqEndTransaction, Header: &proto.EndTransaction{
		ProducerGroup: "p", HalfOffset: h.number, LogOffset: h.log, Outcome: outcome, UniqueID: h.id,
	}}
}

func TestAMessageOfATransactionIsSeenWhenItIsCommittedAndNotBefore(t *testing.T) {
	w := newWorld(t)
	kept, dropped := w.beginTransaction("kept"), w.beginTransaction("dropped")
	w.pass(time.Second)
	require.Empty(t, w.bodiesOf("orders", 1))
	w.refused(pullRequest(proto.HalfTopic, 0, 0, 0, "*"), proto.RespNoPermission, "nobody consumes those")
	back := &proto.ConsumerSendMessageBack{Group: "g", LogOffset: kept.log, DelayLevel: 1, OriginTopic: "orders"}
	w.refused(&transport.Request{Code: proto.ReqConsumerSendMessageBack, Header: back}, proto.RespMessageIllegal, "nobody has consumed it")
	w.succeeds(endRequest(kept, proto.OutcomeCommit))
	w.succeeds(endRequest(dropped, proto.OutcomeRollback))
	got := w.records("orders", 1)
	require.Len(t, got, 1)
	require.Equal(t, "kept", string(got[0].Body))
	require.Equal(t, message.TransactionCommitted, got[0].SysFlags.Transaction())
	require.EqualValues(t, kept.log, got[0].PreparedAt)
	for name, want := range map[string]string{"TRAN_MSG": "", "REAL_TOPIC": "", "KEYS": "k", "__transactionId__": "unique-kept", "UNIQ_KEY": "unique-kept"} {
		require.Equal(t, want, message.PropertyString(got[0].Properties, name), name)
	}
}

func TestATransactionEndsOnceAndHoweverOftenItIsToldTheSame(t *testing.T) {
	w := newWorld(t)
	kept, dropped := w.beginTransaction("kept"), w.beginTransaction("dropped")
	for round := range 3 {
		for range 2 {
			w.succeeds(endRequest(kept, proto.OutcomeCommit))
			w.succeeds(endRequest(dropped, proto.OutcomeRollback))
		}
		w.refused(endRequest(kept, proto.OutcomeRollback), proto.RespIllegalOperation, "has ended with a commit")
		w.refused(endRequest(dropped, proto.OutcomeCommit), proto.RespIllegalOperation, "has ended with a rollback")
		require.Equal(t, []string{"kept"}, w.bodiesOf("orders", 1), "round %d", round)
		w.restart(sim.PowerLoss)
		w.pass(time.Duration(round) * 11 * time.Second) // the file is saved in it
	}
}

// Every point at which the broker may die between the word of the producer and the answer.
func TestATransactionHasOneOutcomeWhereverTheBrokerDies(t *testing.T) {
	for _, flush := range []store.FlushMode{store.SyncFlush, store.AsyncFlush} {
		for at := 0; at < 30; at++ {
			w := newWorld(t, func(o *broker.Options) { o.Store.Flush = flush })
			h := w.beginTransaction("x")
			answer := w.begin(endRequest(h, proto.OutcomeCommit))
			w.pass(time.Duration(at) * 30 * time.Microsecond)
			committed := *answer != nil
			w.restart(sim.KillProcess)
			w.pass(time.Second)
			response := w.call(endRequest(h, proto.OutcomeRollback))
			switch got := w.bodiesOf("orders", 1); {
			case len(got) == 1:
				require.EqualValues(t, proto.RespIllegalOperation, response.Code, "%v, %d", flush, at)
			default:
				require.Empty(t, got)
				require.False(t, committed)
				require.EqualValues(t, proto.RespSuccess, response.Code, "%v, %d: %s", flush, at, response.Remark)
			}
			w.succeeds(endRequest(h, map[bool]proto.TransactionOutcome{true: proto.OutcomeCommit, false: proto.OutcomeRollback}[response.Code != 0]))
		}
	}
}

func TestAnEndThatCannotBeIsRefused(t *testing.T) {
	w := newWorld(t)
	h := w.beginTransaction("x")
	w.succeeds(sendRequest("orders", 0, "plain", ""))
	change := func(change func(h *proto.EndTransaction)) *transport.Request {
		request := endRequest(h, proto.OutcomeCommit)
		change(request.Header.(*proto.EndTransaction))
		return request
	}
	w.refused(change(func(h *proto.EndTransaction) { h.ProducerGroup = "q" }), proto.RespSystemError, "of group p, not q")
	w.refused(change(func(h *proto.EndTransaction) { h.HalfOffset = 7 }), proto.RespSystemError, "number 0, not 7")
	w.refused(change(func(h *proto.EndTransaction) { h.LogOffset = 3 }), proto.RespSystemError, "no half message is at 3")
	w.refused(change(func(h *proto.EndTransaction) { h.LogOffset = 1 << 40 }), proto.RespSystemError, "no half message")
	w.succeeds(deleteTopicRequest("orders"))
	w.refused(endRequest(h, proto.OutcomeCommit), proto.RespSystemError, "topic orders was deleted")
	w.succeeds(endRequest(h, proto.OutcomeRollback))
}

func TestAHalfMessageThatCannotBeIsRefused(t *testing.T) {
	w := newWorld(t)
	w.refused(sendRequest("orders", 0, "x", "TRAN_MSG\x01true\x02PGROUP\x01p\x02DELAY\x011\x02"), proto.RespMessageIllegal, "cannot wait")
	w.refused(sendRequest("orders", 0, "x", "TRAN_MSG\x01true\x02PGROUP\x01p\x02TIMER_DELAY_SEC\x019\x02"), proto.RespMessageIllegal, "cannot wait")
	w.succeeds(sendRequest("orders", 0, "x", "TRAN_MSG\x01false\x02"))
	w = newWorld(t, func(o *broker.Options) { o.TransactionsOff = true })
	w.refused(sendRequest("orders", 0, "x", "TRAN_MSG\x01true\x02PGROUP\x01p\x02"), proto.RespNoPermission, "transaction")
	w = newWorld(t, func(o *broker.Options) { o.TransactionsMax = 1 })
	w.beginTransaction("one")
	w.pass(time.Second)
	w.refused(sendRequest("orders", 0, "x", "TRAN_MSG\x01true\x02PGROUP\x01p\x02"), proto.RespSystemError, "1 transactions are open")
}

// A transaction that nobody decides is given up, and an operator finds its message.
func TestATransactionThatNobodyDecidesIsGivenUp(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) {
		o.TransactionTimeout, o.TransactionCheckEvery, o.TransactionChecksMax = time.Second, time.Second, 2
	})
	require.EqualValues(t, proto.RespSuccess, w.call(producerHeartbeat("p")).Code)
	h := w.beginTransaction("x")
	w.pass(2500 * time.Millisecond)
	require.Empty(t, w.records(proto.UncheckableTopic, 0))
	w.pass(2 * time.Second)
	kept := w.records(proto.UncheckableTopic, 0)
	require.Len(t, kept, 1)
	require.Equal(t, "x", string(kept[0].Body))
	require.Equal(t, "orders", message.PropertyString(kept[0].Properties, "REAL_TOPIC"))
	w.refused(endRequest(h, proto.OutcomeCommit), proto.RespIllegalOperation, "has ended with a rollback")
	w.restart(sim.PowerLoss)
	w.pass(12 * time.Second)
	w.refused(endRequest(h, proto.OutcomeCommit), proto.RespIllegalOperation, "has ended with a rollback")
	require.Len(t, w.records(proto.UncheckableTopic, 0), 1)
	require.Empty(t, w.bodiesOf("orders", 1))
	require.False(t, strings.Contains(w.file("config/transactions.json"), "checks"), "what has ended is not checked")
}

func producerHeartbeat(group string) *transport.Request {
	data := &proto.HeartbeatData{ClientID: "producer", Producers: []proto.ProducerData{{Group: group}}}
	return &transport.Request{Code: proto.ReqHeartbeat, Body: data.Marshal()}
}

// The file names what is open, so a start need not read all that ended behind it.
func TestTheFileNamesOpenTransactionsAmongOthersThatEnded(t *testing.T) {
	w := newWorld(t)
	var all []half
	for n := range 20 {
		all = append(all, w.beginTransaction(fmt.Sprint(n)))
	}
	for n, h := range all {
		if n%7 != 3 {
			w.succeeds(endRequest(h, proto.OutcomeCommit))
		}
	}
	w.pass(12 * time.Second)
	require.Contains(t, w.file("config/transactions.json"), `"half":3,"next":20,"open":[3,10,17],`)
	late := w.beginTransaction("late")
	w.succeeds(endRequest(all[10], proto.OutcomeRollback))
	w.restart(sim.PowerLoss)
	w.pass(time.Second)
	requireValue(t, 3, w.measured(), "gantry_transactions_open")
	w.refused(endRequest(all[10], proto.OutcomeCommit), proto.RespIllegalOperation, "has ended with a rollback")
	for _, h := range []half{all[3], all[17], late, all[4]} {
		w.succeeds(endRequest(h, proto.OutcomeCommit))
	}
	require.Len(t, w.bodiesOf("orders", 1), 20)
	requireValue(t, 0, w.measured(), "gantry_transactions_open")
}

// A file of an earlier version, which did not name what is open.
func TestAFileOfTransactionsWithoutTheOpenOnesIsUnderstood(t *testing.T) {
	w := newWorld(t)
	first, second, third := w.beginTransaction("a"), w.beginTransaction("b"), w.beginTransaction("c")
	w.succeeds(endRequest(second, proto.OutcomeRollback))
	w.close()
	w.machine.Crash(sim.KillProcess)
	text := w.file("config/transactions.json")
	older := regexp.MustCompile(`"next":3,"open":\[0,2\],`).ReplaceAllString(text, "")
	require.NotEqual(t, text, older)
	w.write("config/transactions.json", older)
	w.start()
	w.pass(time.Second)
	requireValue(t, 2, w.measured(), "gantry_transactions_open")
	w.refused(endRequest(second, proto.OutcomeCommit), proto.RespIllegalOperation, "has ended with a rollback")
	w.succeeds(endRequest(first, proto.OutcomeCommit))
	w.succeeds(endRequest(third, proto.OutcomeCommit))
}

// The disk was too full, and the file of the log with a half message had to go, while the broker ran or was down.
func TestATransactionWhoseHalfMessageIsGoneIsGivenUp(t *testing.T) {
	w := prepareWorld(t)
	w.options.TransactionTimeout = 5 * time.Minute
	w.options.Store.DiskUse = store.DiskUse{Expire: 1e-9, Force: 2e-9, Refuse: 0.99}
	w.start()
	h := w.beginTransaction("x")
	w.fill("orders", 40)
	w.pass(3 * time.Minute)
	require.NotEqual(t, "0", w.runtime()["commitLogMinOffset"])
	requireValue(t, 1, w.measured(), "gantry_transactions_open")
	w.refused(endRequest(h, proto.OutcomeCommit), proto.RespSystemError, "no half message is at")
	w.pass(3 * time.Minute)
	requireValue(t, 0, w.measured(), "gantry_transactions_open")
	require.Equal(t, 1, w.logged.FilterMessageSnippet("its transaction is given up").Len(), "it is said once")
}

func TestAHalfMessageThatWentWhileTheBrokerWasDownIsNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.beginTransaction("a")
	w.close()
	w.machine.Crash(sim.KillProcess)
	w.write("config/transactions.json", strings.Replace(w.file("config/transactions.json"), `"half":0,"next":1,"open":[0]`, `"half":0,"next":3,"open":[0,2]`, 1))
	w.start()
	w.pass(time.Second)
	requireValue(t, 1, w.measured(), "gantry_transactions_open")
	require.Equal(t, 1, w.logged.FilterMessageSnippet("its transaction is given up").Len())
}
