package store_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// The benchmarks of the store use real files, below TMPDIR. A figure in messages per second says more about the machine, and about who else
// uses it, than about the store. So each benchmark compares: the store does a fixed piece of work, and then a yardstick does
// what of it cannot be saved (the same bytes, moved by bare system calls or a copy), in turn, many times.
//
//	ratio/<yardstick>   how fast the store is, as a part of the yardstick's speed: 1 is as fast, 0.5 half as fast. It is that of
//	                    the median turn: turns in which the machine stood still do not count.
//	ns/<what>           the store's time for one of many equal things of an operation, in the median turn
//
// An operation is one turn, so that -benchtime=1x has a meaning, too. Its time is that of the store alone.
//
// The sizes are small enough for a look in passing. GANTRY_BENCH=full takes those that a broker is meant for.

// scaled is a size for a look in passing, or the full one.
func scaled(quick, full int) int {
	if os.Getenv("GANTRY_BENCH") == "full" {
		return full
	}
	return quick
}

// race lets the store and its yardstick take turns.
type race struct {
	b       *testing.B
	things  int // that one turn of the store does
	what    string
	against string
	ratios  []float64
	took    []float64 // by the store, in nanoseconds
}

// startRace begins a race against a yardstick. One turn of the store does a number of things of a kind.
func startRace(b *testing.B, against string, things int, what string) *race {
	b.Helper()
	b.ReportAllocs()
	return &race{b: b, against: against, things: things, what: what}
}

// turn times the store and then, outside the time of the benchmark, the yardstick.
func (r *race) turn(ours, yardstick func()) {
	r.b.StartTimer()
	begun := time.Now()
	ours()
	took := time.Since(begun)
	r.b.StopTimer()
	begun = time.Now()
	yardstick()
	r.ratios = append(r.ratios, time.Since(begun).Seconds()/took.Seconds())
	r.took = append(r.took, float64(took.Nanoseconds()))
	r.b.StartTimer()
}

// aside does what belongs to neither side.
func (r *race) aside(work func()) {
	r.b.StopTimer()
	work()
	r.b.StartTimer()
}

func (r *race) report() {
	r.b.StopTimer()
	r.b.ReportMetric(median(r.ratios), "ratio/"+r.against)
	r.b.ReportMetric(median(r.took)/float64(r.things), "ns/"+r.what)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// onFiles runs a task of a node whose disk is a directory.
func onFiles(b *testing.B, root string, task func(e env.Env)) {
	b.Helper()
	w, err := osenv.New(osenv.Options{Node: "bench", Root: root})
	require.NoError(b, err)
	w.Run(task)
	w.Wait()
}

// onStore runs a task of a node with an open store in a directory.
func onStore(b *testing.B, root string, options store.Options, task func(e env.Env, s *store.Store)) {
	b.Helper()
	onFiles(b, root, func(e env.Env) {
		s, err := store.Open(e, options)
		require.NoError(b, err)
		task(e, s)
		require.NoError(b, s.Close())
	})
}

// production are the options of a broker with a flush mode.
func production(flush store.FlushMode) store.Options {
	options := store.DefaultOptions()
	options.Flush = flush
	return options
}

// counting wakes its waiter at every answer and remembers a failure.
type counting struct {
	answers int
	failed  store.AppendResult
	places  []store.Place // of the first message of each append, if they are kept
	keep    bool
	changed env.Cond
}

func (c *counting) Appended(result store.AppendResult) {
	c.answers++
	if result.Status != store.AppendOK {
		c.failed = result
	}
	if c.keep && len(result.Places) > 0 {
		c.places = append(c.places, result.Places[0])
	}
	c.changed.Signal()
}

// reach waits for so many answers.
func (c *counting) reach(answers int) {
	for c.answers < answers {
		c.changed.Wait()
	}
}

// kilobyte is a record with a body of 1 KiB, as a broker makes it.
func kilobyte(key store.QueueKey) message.Record { return recordOf(key, make([]byte, 1024)) }

func recordOf(key store.QueueKey, body []byte) message.Record {
	host := oracle.RecordOf(&oracle.Sent{}).BornHost
	return message.Record{
		Topic: []byte(key.Topic), QueueID: key.ID, Body: body, BornHost: host, StoreHost: host,
		Properties: []byte("TAGS\x01TagA\x02UNIQ_KEY\x017F0000012A9F000000000000000003E8\x02CLUSTER\x01DefaultCluster\x02"),
	}
}

// benchKey is a queue of the topic that benchmarks use.
func benchKey(id int) store.QueueKey { return store.QueueKey{Topic: "bench", ID: int32(id)} }

// appendAll appends count records, each of which next makes, and waits until they are on the medium. It returns their places.
func appendAll(b *testing.B, e env.Env, s *store.Store, count int, next func(i int) message.Record) []store.Place {
	b.Helper()
	// Many at once, since only the outcome matters, and not so many that the store is busy.
	const atOnce = 256
	done := &counting{changed: e.Tasks.NewCond(), keep: true}
	for i := range count {
		r := next(i)
		s.Append(store.QueueKey{Topic: string(r.Topic), ID: r.QueueID}, []message.Record{r}, done)
		if (i+1)%atOnce == 0 || i+1 == count {
			s.Kick()
			done.reach(i + 1)
		}
	}
	require.Zero(b, done.failed)
	require.NoError(b, s.Flush())
	return done.places
}
