package broker

import (
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// eachSend gives a function that does with a send, and the next one each time, all that there is to do to know it again.
func eachSend(t testing.TB, use func(step func())) {
	t.Helper()
	world, err := osenv.New(osenv.Options{Node: "broker"})
	require.NoError(t, err)
	world.Run(func(e env.Env) {
		b := &Broker{env: e, options: DefaultOptions()}
		p := newRepeats(b)
		b.repeats, p.ready = p, true
		header := &proto.SendMessage{Topic: "orders", Producer: [16]byte{1}}
		records, done := []message.Record{{Topic: []byte("orders")}}, &sendDone{broker: b}
		result := store.AppendResult{Places: make([]store.Place, 1)}
		use(func() {
			header.Sequence++
			c, r := p.claimOf(header, 1)
			_, r2 := p.find(&c, header)
			if r.code != 0 || r2.code != 0 || c.count != 1 {
				panic("a new send is not taken for one")
			}
			p.begin(done, &c, records)
			p.settle(done, result)
		})
	})
	world.Wait()
}

func TestKnowingASendAgainAllocatesNothing(t *testing.T) {
	eachSend(t, func(step func()) {
		for range 20_000 {
			step()
		}
		require.Zero(t, testing.AllocsPerRun(20_000, step))
	})
}

// What it costs a send to be known again. A message takes some microseconds in all.
func BenchmarkKnowASendAgain(b *testing.B) {
	eachSend(b, func(step func()) {
		b.ReportAllocs()
		for b.Loop() {
			step()
		}
	})
}
