package broker_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/replica"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// slowly bounds what copies are sent a second.
const slowly = 100 << 10

// newSlowGroup is a master that may send slowly bytes a second, without a copy. It has some seconds of log.
func newSlowGroup(t *testing.T) *electedGroup {
	t.Helper()
	g := &electedGroup{world: prepareWorld(t, asMaster(1), func(o *broker.Options) { o.Replication.BytesPerSecond = slowly })}
	g.other = g.kernel.AddMachine("other", netip.MustParseAddr("10.0.0.3"))
	g.start()
	g.prove()
	for i := range 10 {
		g.succeeds(sendRequest("orders", 0, fmt.Sprint(i, strings.Repeat("x", 50<<10)), ""))
	}
	return g
}

func TestACopyOfAnElectedMasterIsSentNoMoreASecondThanTheLimitSays(t *testing.T) {
	g := newSlowGroup(t)
	g.follow(1) // takes a second
	for second := int64(1); second <= 3; second++ {
		require.LessOrEqual(t, int64(g.copy.Store().End()), (second+1)*slowly)
		require.Greater(t, int64(g.copy.Store().End()), second*slowly/2)
		g.pass(time.Second)
	}
	g.requireEqual()
	set, _ := g.broker.Leader().Set()
	require.Equal(t, replica.NewSet(1, 2), set)
}

func TestChangesOfTablesDoNotWaitUntilTheLimitLetsTheLogGoOn(t *testing.T) {
	g := newSlowGroup(t)
	g.follow(1)
	require.Less(t, g.copy.Store().End(), g.broker.Store().End()/2)
	for i := range 10 {
		group := fmt.Sprint("g", i)
		g.succeeds(updateGroupRequest(group, nil))
		g.pass(20 * time.Millisecond)
		content, ok := g.other.Disk().Content("config/subscriptionGroup.json")
		require.True(t, ok)
		require.Contains(t, string(content), `"`+group+`"`)
	}
	require.Less(t, g.copy.Store().End(), g.broker.Store().End()/2)
}

// Less than the limit says comes all the time, also right after as much as may go out at once.
func TestACopyStaysInSyncWhileNoMoreComesThanTheLimitSays(t *testing.T) {
	g := newSlowGroup(t)
	g.follow(1)
	g.pass(4 * time.Second)
	g.requireEqual()
	_, before := g.broker.Leader().Set()
	for range 2 {
		g.succeeds(sendRequest("orders", 0, strings.Repeat("x", slowly*45/100), ""))
	}
	for range 200 {
		began := g.kernel.Now()
		require.EqualValues(t, proto.RespSuccess, g.call(sendRequest("orders", 0, strings.Repeat("x", slowly/100), "")).Code)
		require.Less(t, g.kernel.Now().Sub(began), 100*time.Millisecond, "who sends waits for the copy")
		g.pass(10 * time.Millisecond)
	}
	set, after := g.broker.Leader().Set()
	require.Equal(t, replica.NewSet(1, 2), set)
	require.Equal(t, before, after, "it was never taken out")
}

func TestASlaveOfAConfiguredMasterIsSentNoMoreASecondThanTheLimitSays(t *testing.T) {
	w := newWorld(t, openToCopies, func(o *broker.Options) { o.Replication.BytesPerSecond = slowly })
	for i := range 10 {
		w.succeeds(sendRequest("orders", 0, fmt.Sprint(i, strings.Repeat("x", 50<<10)), ""))
	}
	copy := w.connectCopy(0)
	w.pass(2 * time.Second)
	require.InDelta(t, 3*slowly, copy.got, slowly/5)
	w.pass(4 * time.Second)
	require.Greater(t, int64(copy.got), int64(w.broker.Store().End()))
}
