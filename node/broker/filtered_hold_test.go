package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func TestAHeldPullThatIsWokenInVainWaitsForTheRestOfItsTime(t *testing.T) {
	w := newWorld(t)
	w.sizes(1)
	sql := w.begin(sqlPull("orders", 1, 20*time.Second, "size > 5"))
	tags := w.begin(pullRequest("orders", 0, 1, 20*time.Second, "Aa"))
	late := w.begin(sqlPull("orders", 1, 20*time.Second, "size > 100"))
	for range 10 {
		w.pass(time.Second)
		w.succeeds(sendRequest("orders", 0, "x", "size\x012\x02TAGS\x01BB\x02"))
	}
	w.pass(100 * time.Millisecond)
	require.Nil(t, *sql)
	require.Nil(t, *tags)
	require.Equal(t, "3", w.held())
	w.succeeds(sendRequest("orders", 0, "y", "size\x019\x02TAGS\x01Aa\x02"))
	w.pass(100 * time.Millisecond)
	require.NotNil(t, *sql, "what matches comes at once")
	require.Equal(t, []string{"y"}, bodies(t, *sql))
	require.Equal(t, "12", next(*sql))
	require.NotNil(t, *tags)
	require.Equal(t, []string{"y"}, bodies(t, *tags))
	w.pass(9 * time.Second)
	require.Nil(t, *late)
	w.pass(2 * time.Second)
	require.NotNil(t, *late, "20 s after it came, however often it was woken")
	require.EqualValues(t, proto.RespPullRetryImmediately, (*late).Code)
	require.Equal(t, "NO_MATCHED_MESSAGE", (*late).Remark)
	require.Equal(t, "12", next(*late), "the client need not ask for what was passed over")
	require.Equal(t, "0", w.held())
}

func TestAPullThatWasNotHeldYetIsToldWhatWasPassedOver(t *testing.T) {
	w := newWorld(t)
	w.sizes(1, 2, 3)
	began := w.kernel.Now()
	response := w.call(sqlPull("orders", 0, time.Minute, "size > 5"))
	require.Less(t, w.kernel.Now().Sub(began), time.Second)
	require.EqualValues(t, proto.RespPullRetryImmediately, response.Code)
	require.Equal(t, "3", next(response))
}

func TestCloseAnswersPullsThatWereWokenInVain(t *testing.T) {
	w := newWorld(t)
	w.sizes(1)
	held := w.begin(sqlPull("orders", 1, time.Minute, "size > 5"))
	w.pass(time.Second)
	w.sizes(2)
	w.pass(time.Second)
	require.Equal(t, "1", w.held())
	var answered *wire.Command
	w.clientEnv().Tasks.Go("watch", func() {
		for *held == nil {
			w.clientEnv().Tasks.Sleep(time.Millisecond)
		}
		answered = *held
	})
	w.close()
	w.pass(time.Second)
	require.NotNil(t, answered)
	require.EqualValues(t, proto.RespPullRetryImmediately, answered.Code)
	require.Equal(t, "2", next(answered))
}

// TestNoMessageSlipsThroughBetweenReadingAndHolding: a consumer at the end of its queue pulls again and again, by an expression that is
// so long that it is evaluated off the baton, while messages come at every moment of its reading, evaluating and being held.
func TestNoMessageSlipsThroughBetweenReadingAndHolding(t *testing.T) {
	w := newWorld(t)
	w.sizes(1)
	disk := w.machine.Disk().Options()
	disk.ReadMax = 3 * time.Millisecond
	w.machine.Disk().SetOptions(disk)
	sentAt := map[string]env.Instant{}
	var found []string
	var worst time.Duration
	w.consume(sqlPull("orders", 1, 30*time.Second, "size > 5"+strings.Repeat(" OR size = 'none'", 300)), func(brought []string) {
		for _, body := range brought {
			worst = max(worst, w.kernel.Now().Sub(sentAt[body]))
		}
		found = append(found, brought...)
	})
	var want []string
	send := func(body string, size int) {
		sentAt[body] = w.kernel.Now()
		w.succeeds(sendRequest("orders", 0, body, fmt.Sprintf("size\x01%d\x02", size)))
	}
	for n := range 150 {
		// The first one wakes the pull in vain. The second one comes while that is found out, or soon afterwards.
		send("small", 2)
		w.pass(time.Duration(n) * 20 * time.Microsecond)
		send(fmt.Sprint(n), 9)
		want = append(want, fmt.Sprint(n))
		w.pass(300 * time.Millisecond)
	}
	w.pass(time.Second)
	require.Equal(t, want, found)
	require.Less(t, worst, 200*time.Millisecond, "a pull that misses a message would be held for half a minute")
}

// consume repeats a pull from where the last one ended, for ever.
func (w *world) consume(request *transport.Request, brought func(bodies []string)) {
	header := request.Header.(*proto.PullMessage)
	w.clientEnv().Tasks.Go("consume", func() {
		conn, err := w.client.Conn(nil, address, env.Never)
		for err == nil {
			var response *wire.Command
			response, err = conn.Call(nil, request, w.kernel.Now().Add(time.Minute))
			if err != nil {
				return
			}
			if response.Code == proto.RespSuccess {
				brought(bodies(w.t, response))
			}
			_, err = fmt.Sscan(next(response), &header.QueueOffset)
		}
	})
}
