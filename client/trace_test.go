package client

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func somePublication() publication {
	return publication{
		at: 1700000000123, region: "DefaultRegion", group: "producers", topic: "orders",
		uniqueID: "0A00000900010002000300040005AAAA", tags: "paid", keys: "o-1 o-2", storeHost: "10.0.0.1:10911",
		bodyLength: 42, cost: 7 * time.Millisecond, kind: traceNormal, offsetID: "0A00000100002A9F0000000000000000", safe: true,
	}
}

// Fourteen fields, 0x01 between them, 0x02 at the end: Pub, time, region, group, topic, unique id, tags, keys, store host,
// body length, cost, type of the message, offset id, success.
func TestATraceRecordHasTheProtocolsBytes(t *testing.T) {
	r := somePublication()
	require.Equal(t, "Pub\x011700000000123\x01DefaultRegion\x01producers\x01orders\x010A00000900010002000300040005AAAA\x01paid\x01o-1 o-2\x01"+
		"10.0.0.1:10911\x0142\x017\x010\x010A00000100002A9F0000000000000000\x01true\x02", string(r.append(nil)))

	bare := publication{at: 1, group: "g", topic: "t", uniqueID: "U", kind: traceDelay, region: "r\x01\x02"}
	require.Equal(t, "before"+"Pub\x011\x01r  \x01g\x01t\x01U\x01\x01\x01\x010\x010\x013\x01\x01false\x02", string(bare.append([]byte("before"))))
}

func TestTheTypeOfATracedMessageIsThatOfJava(t *testing.T) {
	for name, want := range map[string]traceKind{"x": 0, "TRAN_MSG": 1, "DELAY": 3, "TIMER_DELAY_MS": 3, "__STARTDELIVERTIME": 3, "__SHARDINGKEY": 0} {
		value := "3"
		if name == "TRAN_MSG" {
			value = "true"
		}
		require.Equal(t, want, traceKindOf(NewMessage("t", nil, Property(name, value))), name)
	}
}

func TestTracesOfOneTopicTravelTogetherAndAreFoundByTheirKeys(t *testing.T) {
	var records []traceRecord
	for i, topic := range []string{"orders", "bills", "orders"} {
		r := somePublication()
		r.topic, r.uniqueID = topic, fmt.Sprintf("U%d", i)
		records = append(records, &r)
	}
	messages := traceMessages("traces", records)
	require.Len(t, messages, 2)
	require.Equal(t, string(records[2].append(records[0].append(nil))), string(messages[0].Body))
	require.Equal(t, string(records[1].append(nil)), string(messages[1].Body))
	require.Equal(t, "U0 o-1 o-2 U2", messages[0].Properties.Get(message.PropertyKeys), "each key once")
	require.Equal(t, "traces", messages[0].Topic)
}

func TestPropTracesKeepTheirBoundsAndNoneIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var records []traceRecord
		for i := range rapid.IntRange(0, 60).Draw(t, "records") {
			r := somePublication()
			r.topic, r.uniqueID = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "topic"), fmt.Sprintf("U%d", i)
			r.keys = strings.Repeat(fmt.Sprintf("key%d ", i), rapid.SampledFrom([]int{0, 1, 100, 4000}).Draw(t, "keys"))
			switch rapid.IntRange(0, 2).Draw(t, "long") {
			case 0:
				r.keys = strings.Repeat("k", rapid.IntRange(1, 30_000).Draw(t, "length"))
			case 1:
				r.keys = strings.Repeat("the same ", 1200)
			}
			records = append(records, &r)
		}
		var bodies, wanted []string
		for _, m := range traceMessages("traces", records) {
			require.LessOrEqual(t, len(m.Body), traceBodyMax)
			require.LessOrEqual(t, len(m.Properties.Get(message.PropertyKeys)), traceKeysMax)
			for _, record := range strings.SplitAfter(string(m.Body), "\x02") {
				if record != "" {
					bodies = append(bodies, record)
					require.Contains(t, strings.Fields(m.Properties.Get(message.PropertyKeys)), strings.Split(record, "\x01")[5])
				}
			}
		}
		for i := range records {
			wanted = append(wanted, string(records[i].append(nil)))
		}
		require.ElementsMatch(t, wanted, bodies)
	})
}

func TestTheGroupOfTheTracesFitsTheLimit(t *testing.T) {
	require.Equal(t, "_INNER_TRACE_PRODUCER-g-CONSUME-1", traceGroup("g", traceOfConsumer))
	require.Equal(t, "_INNER_TRACE_PRODUCER-g-PRODUCE-1", traceGroup("g", traceOfProducer))
	require.Len(t, traceGroup(strings.Repeat("g", 120), traceOfConsumer), 120)
}

// Eight fields: SubBefore, time, region, group, request id, unique id, times it was delivered before, keys. Nine: SubAfter, request id, unique
// id, milliseconds, success, keys, code, time, group.
func TestRecordsOfConsumersHaveTheProtocolsBytes(t *testing.T) {
	c := consumption{
		begunAt: 1700000000123, region: "north", group: "billing", requestID: "R1", topic: "orders", uniqueID: "U1", redeliveries: 2, keys: "o-1 o-2",
	}
	require.Equal(t, "SubBefore\x011700000000123\x01north\x01billing\x01R1\x01U1\x012\x01o-1 o-2\x02", string(c.append(nil)))
	end := consumed{consumption: c, endedAt: 1700000000456, cost: 7 * time.Millisecond}
	require.Equal(t, "SubAfter\x01R1\x01U1\x017\x01true\x01o-1 o-2\x010\x011700000000456\x01billing\x02", string(end.append(nil)))
	end.keys, end.failed, end.outcome = "", true, tracePanic
	require.Equal(t, "SubAfter\x01R1\x01U1\x017\x01false\x01null\x012\x011700000000456\x01billing\x02", string(end.append(nil)))
}
