package broker_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// stamped replaces the time of a file's version, which depends on how long the test took.
func stamped(file string) string {
	return regexp.MustCompile(`"timestamp":\d+`).ReplaceAllString(file, `"timestamp":T`)
}

// committed demands a committed offset; "" means that there must be none.
func (w *world) committed(group, topic string, queue int32, want string) {
	w.t.Helper()
	response := w.call(queryRequest(group, topic, queue))
	if want == "" {
		require.EqualValues(w.t, proto.RespQueryNotFound, response.Code, "offset %s", response.Fields.String("offset"))
		return
	}
	require.EqualValues(w.t, proto.RespSuccess, response.Code, response.Remark)
	require.Equal(w.t, want, response.Fields.String("offset"))
}

// TestTheOffsetsFileHasQueuesAsBareKeys: Java brokers write and read {0:1}, which is not strict JSON.
func TestTheOffsetsFileHasQueuesAsBareKeys(t *testing.T) {
	w := newWorld(t)
	w.succeeds(updateTopicRequest("orders", func(h *proto.UpdateAndCreateTopic) { h.ReadQueues, h.WriteQueues = 16, 16 }))
	w.fillQueue("orders", 10, 7)
	w.fillQueue("orders", 2, 12)
	w.succeeds(sendRequest("bills", 0, "x", ""))
	w.succeeds(commitRequest("g", "orders", 10, 7))
	w.succeeds(commitRequest("g", "orders", 2, 12))
	w.succeeds(commitRequest("a", "bills", 0, 1))
	w.pass(10 * time.Second)
	require.Equal(t, `{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":T},"offsetTable":{`+
		`"bills@a":{0:1},"orders@g":{2:12,10:7}}}`, stamped(w.file("config/consumerOffset.json")))
	w.pass(10 * time.Second)
	require.Contains(t, w.file("config/consumerOffset.json"), `"counter":1,`, "it is written only after a change")
}

// javaOffsets is what a Java broker writes: indented by tabs, with bare keys.
const javaOffsets = `{
	"dataVersion":{
		"counter":3,
		"stateVersion":0,
		"timestamp":1767225600000
	},
	"offsetTable":{
		"orders@g":{0:42,1:0,2:17
		},
		"%RETRY%g@g":{0:5
		}
	}
}`

// fillQueue sends so many messages to a queue.
func (w *world) fillQueue(topic string, queue int32, n int) {
	w.t.Helper()
	for range n {
		w.succeeds(sendRequest(topic, queue, "x", ""))
	}
}

// afterJava is a world that has as many messages as javaOffsets says, and does not run.
func afterJava(t *testing.T, change ...func(*broker.Options)) *world {
	t.Helper()
	w := newWorld(t, change...)
	w.fillQueue("orders", 0, 60)
	w.fillQueue("orders", 2, 17)
	w.succeeds(heartbeat("one", "g", nil))
	w.fillQueue("%RETRY%g", 0, 5)
	w.close()
	w.machine.Shutdown()
	return w
}

func TestTheOffsetsOfAJavaBrokerAreTakenOver(t *testing.T) {
	w := afterJava(t)
	w.write("config/consumerOffset.json", javaOffsets)
	w.start()
	w.committed("g", "orders", 0, "42")
	w.committed("g", "orders", 1, "0")
	w.committed("g", "orders", 2, "17")
	w.committed("g", "orders", 3, "")
	w.committed("g", "%RETRY%g", 0, "5")
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(commitRequest("g", "orders", 0, 43))
	w.close()
	require.Equal(t, `{"dataVersion":{"counter":4,"stateVersion":0,"timestamp":T},"offsetTable":{`+
		`"%RETRY%g@g":{0:5},"orders@g":{0:43,1:0,2:17}}}`, stamped(w.file("config/consumerOffset.json")))
}

func TestTheCopyOfAJavaBrokerStandsInForAFileThatIsMissingOrTorn(t *testing.T) {
	for name, content := range map[string]string{"missing": "", "torn": javaOffsets[:120]} {
		t.Run(name, func(t *testing.T) {
			w := afterJava(t)
			w.write("config/consumerOffset.json.bak", javaOffsets)
			if content != "" {
				w.write("config/consumerOffset.json", content)
			}
			w.start()
			w.committed("g", "orders", 0, "42")
		})
	}
}

// TestAJournalDoesNotCountBesideATableThatAJavaBrokerHasSaved: the Java broker read the same table, counted on, and saved it
// under the same version.
func TestAJournalDoesNotCountBesideATableThatAJavaBrokerHasSaved(t *testing.T) {
	w := afterJava(t, func(o *broker.Options) { o.SaveOffsetsEvery = time.Hour })
	w.write("config/consumerOffset.json", javaOffsets)
	w.start()
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(commitRequest("g", "orders", 0, 50))
	w.restart(sim.PowerLoss)
	w.committed("g", "orders", 0, "50")
	w.machine.Crash(sim.KillProcess)
	w.write("config/consumerOffset.json", strings.Replace(javaOffsets, "0:42", "0:60", 1))
	w.start()
	w.committed("g", "orders", 0, "60")
}

func TestAGroupThatHasCommittedNothing(t *testing.T) {
	w := newWorld(t)
	w.fillQueue("orders", 0, 9)
	lenient := &transport.Request{Code: proto.ReqQueryConsumerOffset, Header: &proto.QueryConsumerOffset{ConsumerGroup: "g", Topic: "orders", QueueID: 0}}
	require.Equal(t, "0", w.succeeds(lenient).Fields.String("offset"), "begins at 0 while the first message is there")
	w.refused(queryRequest("g", "orders", 0), proto.RespQueryNotFound, "Not found, maybe this group consumer boot first")
	w.succeeds(commitRequest("g", "orders", 0, -1))
	w.committed("g", "orders", 0, "")
	w.succeeds(commitRequest("g", "orders", 0, 9))
	w.committed("g", "orders", 0, "9")
	w.succeeds(commitRequest("g", "orders", 0, 3))
	w.committed("g", "orders", 0, "3")
	w.committed("other", "orders", 0, "")
}

func TestACommitThatCannotBeIsRefused(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.refused(commitRequest("g", "nowhere", 0, 1), proto.RespTopicNotExist, "Topic nowhere not exist!")
	w.refused(commitRequest("a@b", "orders", 0, 1), proto.RespSubscriptionGroupNotExist, "Group a@b not exist!")
	w.refused(commitRequest("g", "orders", -1, 1), proto.RespInvalidParameter, "queueId[-1]")
	w.refused(commitRequest("g", "orders", 65_536, 1), proto.RespInvalidParameter, "queueId[65536]")
}

func TestAPullCommitsOnItsWay(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	request := pullRequest("orders", 0, 0, 0, "*")
	header := request.Header.(*proto.PullMessage)
	header.CommitOffset = 1
	w.succeeds(request)
	w.committed("g", "orders", 0, "")
	header.Flags |= proto.PullCommit
	w.succeeds(request)
	w.committed("g", "orders", 0, "1")
	header.CommitOffset = -1
	w.succeeds(request)
	w.committed("g", "orders", 0, "1")
}

// TestCommitsOfAClientCountInTheirOrder: one that wants no answer does not overtake one that does, and is not overtaken.
func TestCommitsOfAClientCountInTheirOrder(t *testing.T) {
	w := newWorld(t)
	w.fillQueue("orders", 0, 5)
	w.fillQueue("orders", 1, 9)
	w.succeeds(commitRequest("g", "orders", 0, 1))
	w.succeeds(pullRequest("orders", 0, 1, 0, "*"))
	w.slowDisk(time.Second)
	first := w.begin(commitRequest("g", "orders", 0, 5))
	w.pass(10 * time.Millisecond)
	w.oneway(commitRequest("g", "orders", 0, 3))
	w.committed("g", "orders", 0, "1")
	second := w.begin(commitRequest("g", "orders", 1, 8))
	w.pass(10 * time.Millisecond)
	w.oneway(commitRequest("g", "orders", 1, 9))
	w.pass(5 * time.Second)
	require.EqualValues(t, proto.RespSuccess, (*first).Code)
	require.EqualValues(t, proto.RespSuccess, (*second).Code)
	w.committed("g", "orders", 0, "3")
	w.committed("g", "orders", 1, "9")
	w.restart(sim.PowerLoss)
	w.committed("g", "orders", 0, "3")
	w.committed("g", "orders", 1, "9")
}

func TestACommitThatWantsNoAnswerIsThereAtOnceAndSavedSoon(t *testing.T) {
	w := newWorld(t)
	w.fillQueue("orders", 0, 7)
	w.fillQueue("orders", 1, 1)
	w.succeeds(commitRequest("g", "orders", 1, 1))
	w.oneway(commitRequest("g", "orders", 0, 7))
	w.committed("g", "orders", 0, "7")
	w.pass(10 * time.Second)
	w.restart(sim.PowerLoss)
	w.committed("g", "orders", 0, "7")
}

func TestACommitThatTheDiskRefusesIsNotShownAndTheNextSaveMendsTheJournal(t *testing.T) {
	w := newWorld(t)
	w.fillQueue("orders", 0, 4)
	w.succeeds(commitRequest("g", "orders", 0, 1))
	w.pass(10 * time.Second)
	healthy := w.machine.Disk().Options()
	sick := healthy
	sick.SyncError = 1
	w.machine.Disk().SetOptions(sick)
	w.refused(commitRequest("g", "orders", 0, 2), proto.RespSystemError, "could not be made durable")
	w.committed("g", "orders", 0, "1")
	w.pass(20 * time.Second)
	w.refused(commitRequest("g", "orders", 0, 3), proto.RespSystemError, "could not be made durable")
	w.machine.Disk().SetOptions(healthy)
	w.pass(10 * time.Second)
	w.succeeds(commitRequest("g", "orders", 0, 4))
	w.restart(sim.PowerLoss)
	w.committed("g", "orders", 0, "4")
}

// TestACommitAfterASaveInDoubtSurvives: a save can fail after its table has taken the old one's name. Then it is open which of them a
// restart finds, and the journal belongs to one of them only.
func TestACommitAfterASaveInDoubtSurvives(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.SaveOffsetsEvery = time.Second })
	w.fillQueue("orders", 0, 30)
	w.fillQueue("orders", 1, 30)
	w.succeeds(commitRequest("g", "orders", 0, 0))
	healthy := w.machine.Disk().Options()
	sick := healthy
	sick.SyncError = 0.5
	acknowledged := 0
	for n := range int64(30) {
		w.pass(1100 * time.Millisecond)
		w.oneway(commitRequest("g", "orders", 1, n))
		w.machine.Disk().SetOptions(sick)
		w.pass(1100 * time.Millisecond)
		w.machine.Disk().SetOptions(healthy)
		answer := w.call(commitRequest("g", "orders", 0, n))
		w.restart(sim.KillProcess)
		if answer.Code == proto.RespSuccess {
			acknowledged++
			w.committed("g", "orders", 0, fmt.Sprint(n))
		}
	}
	require.Greater(t, acknowledged, 10)
}

func TestOffsetsGoWithTheirTopicForGood(t *testing.T) {
	w := newWorld(t)
	for _, topic := range []string{"orders", "orders2"} {
		w.succeeds(sendRequest(topic, 0, "x", ""))
		w.succeeds(commitRequest("g", topic, 0, 1))
	}
	w.pass(10 * time.Second)
	w.succeeds(commitRequest("h", "orders", 0, 1))
	w.succeeds(deleteTopicRequest("orders"))
	w.restart(sim.PowerLoss)
	w.committed("g", "orders", 0, "")
	w.committed("h", "orders", 0, "")
	w.committed("g", "orders2", 0, "1")
	w.refused(commitRequest("g", "orders", 0, 1), proto.RespTopicNotExist, "orders")
}

func TestCommitsThatWaitForTheDiskGoWithTheirTopicToo(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(commitRequest("g", "orders", 0, 1))
	w.slowDisk(300 * time.Millisecond)
	deleted := w.begin(deleteTopicRequest("orders"))
	for n := range 30 {
		w.begin(commitRequest("g", "orders", int32(n%3), int64(n)))
		w.oneway(commitRequest("g", "orders", int32(n%3), int64(n)))
		w.pass(50 * time.Millisecond)
	}
	w.pass(20 * time.Second)
	require.EqualValues(t, proto.RespSuccess, (*deleted).Code, (*deleted).Remark)
	for range 2 {
		for queue := range int32(3) {
			w.committed("g", "orders", queue, "")
		}
		w.restart(sim.PowerLoss)
	}
}

// TestASteadyLoadOfCommitsDoesNotKeepTheTableFromBeingSaved: nor does it keep a topic from being deleted.
func TestASteadyLoadOfCommitsDoesNotKeepTheTableFromBeingSaved(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.SaveOffsetsEvery = time.Second })
	w.succeeds(sendRequest("orders", 0, "x", ""))
	w.succeeds(sendRequest("bills", 0, "x", ""))
	w.succeeds(commitRequest("g", "orders", 0, 1))
	w.slowDisk(20 * time.Millisecond)
	e := w.clientEnv()
	stop, commits := false, 0
	for queue := range int32(8) {
		e.Tasks.Go("commit", func() {
			for !stop {
				if _, err := w.client.Call(nil, address, commitRequest("g", "orders", queue, 0), time.Minute); err == nil {
					commits++
				}
				e.Tasks.Sleep(3 * time.Millisecond)
			}
		})
	}
	w.pass(10 * time.Second)
	require.Greater(t, commits, 1000)
	require.Regexp(t, `"counter":([5-9]|1\d),`, w.file("config/consumerOffset.json"))
	w.succeeds(deleteTopicRequest("bills"))
	stop = true
}

// TestATopicThatIsMadeAgainWhileItIsDeletedLosesNothing: what is acknowledged after the deletion belongs to the new topic.
func TestATopicThatIsMadeAgainWhileItIsDeletedLosesNothing(t *testing.T) {
	w := newWorld(t)
	w.succeeds(sendRequest("orders", 0, "old", ""))
	w.slowDisk(50 * time.Millisecond)
	deleted := w.begin(deleteTopicRequest("orders"))
	var after []string
	for n := 0; len(after) < 5 && n < 100; n++ {
		over := *deleted != nil
		body := fmt.Sprint("new ", n)
		if w.call(sendRequest("orders", 0, body, "")).Code == proto.RespSuccess && over {
			after = append(after, body)
		}
	}
	require.EqualValues(t, proto.RespSuccess, (*deleted).Code, (*deleted).Remark)
	for range 2 {
		found := bodies(t, w.succeeds(pullRequest("orders", 0, 0, 0, "*")))
		require.Subset(t, found, after)
		require.NotContains(t, found, "old")
		w.restart(sim.PowerLoss)
	}
}
