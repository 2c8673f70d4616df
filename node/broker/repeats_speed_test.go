package broker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

// burstOf is how many sends are under way at once.
const burstOf = 256

// answers counts them.
type answers struct {
	left    int
	refused int
	changed env.Cond
}

// Complete takes one.
func (a *answers) Complete(response *wire.Command, err error) {
	if a.left--; err != nil || response.Code != proto.RespSuccess {
		a.refused++
	}
	a.changed.Signal()
}

// BenchmarkSendsComparedWithSendsThatAreKnownAgain sends messages of 1 KiB over one connection of this machine, 256 at once, to a broker that does not wait for the
// disk. An operation is a send.
func BenchmarkSendsComparedWithSendsThatAreKnownAgain(b *testing.B) {
	l := newLoopback(b)
	l.fill(b, 1000)
	body := strings.Repeat("x", 1<<10)
	sequence := int64(0)
	for _, c := range []struct {
		name string
		step int64
	}{{"plain", 0}, {"with sequences", 1}, {"plain again", 0}, {"with sequences again", 1}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			l.client.Run(func(e env.Env) {
				conn, err := l.network.Conn(nil, l.address, e.Clock.Now().Add(time.Second))
				require.NoError(b, err)
				request := sendRequest("orders", 0, body, "KEYS\x01order\x02TAGS\x01t\x02UNIQ_KEY\x01k\x02")
				a := &answers{changed: e.Tasks.NewCond()}
				for b.Loop() {
					sequence += c.step
					numbered(request, sequence*c.step)
					a.left++
					require.NoError(b, conn.Start(request, e.Clock.Now().Add(time.Minute), a))
					for a.left >= burstOf {
						a.changed.Wait()
					}
				}
				for a.left > 0 {
					a.changed.Wait()
				}
				require.Zero(b, a.refused)
			})
		})
	}
}
