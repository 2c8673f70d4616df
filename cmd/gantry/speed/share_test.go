package speed_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The time until each of 400 queues has one owner again, after a member of a group of 200 has left in order.
func BenchmarkRebalanceOf200Members(b *testing.B) {
	const members, queues = 200, 400
	n := start(b)
	n.makeTopic(b, "orders", queues)
	c := n.consume(b, "orders", "group", members, true)
	c.held(b, queues)
	var spent time.Duration
	turns := 0
	for b.Loop() {
		leaving := c.all[0]
		c.all = c.all[1:]
		began := time.Now()
		require.NoError(b, leaving.Close(context.Background()))
		c.held(b, queues)
		spent += time.Since(began)
		turns++
		// Another one takes its place.
		c.all = append(c.all, n.consume(b, "orders", "group", 1, true).all...)
		c.held(b, queues)
	}
	b.ReportMetric(float64(spent.Milliseconds())/float64(turns), "ms-to-share-out")
	b.ReportMetric(0, "ns/op")
}
