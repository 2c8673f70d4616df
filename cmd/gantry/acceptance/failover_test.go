package acceptance_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// benchTurns is how often each number of copies has its turn, with brokers of its own. The turns alternate, so that all see the same machine, and the median
// counts.
const benchTurns = 7

// benchLoads are what gantry bench does in a turn: few sends at once, which wait for syncs of the disk most of the time, and as many as a broker
// takes to be busy.
var benchLoads = []struct{ inFlight, messages int }{{32, 20_000}, {128, 200_000}}

// throughput is messages per second, sent and acknowledged and consumed, and how long a send takes, in microseconds.
type throughput struct{ sent, consumed, p50, p99 float64 }

// TestThroughputWithCopies measures what copies cost: SYNC_FLUSH, and each acknowledged message at all copies. All of them share this machine's disk and
// processors, so it is an upper bound of the price. `make bench-copies` runs it.
func TestThroughputWithCopies(t *testing.T) {
	if os.Getenv("GANTRY_BENCH_COPIES") == "" {
		t.Skip("measures for a minute or two: make bench-copies runs it")
	}
	// Files of the log have their usual size: tests have smaller ones, and each new one takes time.
	usual := []string{"--mappedFileSizeCommitLog", "1073741824"}
	groups := []struct {
		name  string
		start func(t *testing.T) (names string)
	}{
		{"1 broker", func(t *testing.T) string { return own(t, usual...).names }},
		{"2 copies", func(t *testing.T) string { return startElectedWith(t, usual, "one", "two").names }},
		{"3 copies", func(t *testing.T) string { return startElectedWith(t, usual, "one", "two", "three").names }},
	}
	measured := make([][][]throughput, len(benchLoads))
	for i := range measured {
		measured[i] = make([][]throughput, len(groups))
	}
	for range benchTurns {
		for g, group := range groups {
			// Nobody else runs meanwhile: a sync waits for what others on the disk have written.
			t.Run(group.name, func(t *testing.T) {
				names := group.start(t)
				measure(t, names, benchLoads[0].inFlight, benchLoads[0].messages)
				for i, load := range benchLoads {
					measured[i][g] = append(measured[i][g], measure(t, names, load.inFlight, load.messages))
				}
			})
		}
	}
	for i, load := range benchLoads {
		fmt.Printf("\n%d messages of 1024 bytes, 2 connections with %d sends under way, SYNC_FLUSH, minInSyncReplicas 1, median of %d turns\n", load.messages, load.inFlight, benchTurns)
		fmt.Printf("%-10s %10s %7s %10s %10s %12s %7s\n", "", "sent/s", "ratio", "p50 ms", "p99 ms", "consumed/s", "ratio")
		single := median(measured[i][0])
		for g, group := range groups {
			m := median(measured[i][g])
			fmt.Printf("%-10s %10.0f %7.2f %10.2f %10.2f %12.0f %7.2f\n", group.name, m.sent, m.sent/single.sent, m.p50/1000, m.p99/1000, m.consumed, m.consumed/single.consumed)
		}
	}
}

// elections is how often TestElectionTime has a master killed.
const elections = 10

// TestElectionTime measures how long a group has no master when its master is killed, and what a hand-over takes. `make bench-copies` runs it. What clients see
// of it, `make chaos` measures.
func TestElectionTime(t *testing.T) {
	if os.Getenv("GANTRY_BENCH_COPIES") == "" {
		t.Skip("measures for a minute or two: make bench-copies runs it")
	}
	c := startElected(t, "one", "two", "three")
	var killed, drained []time.Duration
	for range elections {
		victim := c.master(t)
		c.nodes[victim].Kill()
		killed = append(killed, c.untilElected(t, victim))
		c.startElectedBroker(t, victim)
		soon(t, func() bool { return c.inSync(t) == 3 }, "the broker that was killed does not come back")
	}
	for range elections {
		master := c.master(t)
		var began time.Time
		// A broker that has just been elected opens its port again, and has its copies confirm its log.
		soon(t, func() bool {
			began = time.Now()
			code, _ := c.run(t, "drain", "-b", c.addresses[master])
			return code == 0
		}, "the broker that was elected does not hand over")
		require.NotEqual(t, master, c.master(t))
		drained = append(drained, time.Since(began))
		stop(t, c.nodes[master])
		// Started again it may be elected again.
		c.startElectedBroker(t, master)
		soon(t, func() bool { return c.inSync(t) == 3 }, "the broker that was drained does not come back")
	}
	slices.Sort(killed)
	slices.Sort(drained)
	fmt.Printf("\nthree brokers, %d times each: after kill -9 another one is elected in %v (median, at worst %v); a drained master has handed over in %v (at worst %v)\n",
		elections, killed[elections/2].Round(time.Millisecond), killed[elections-1].Round(time.Millisecond),
		drained[elections/2].Round(time.Millisecond), drained[elections-1].Round(time.Millisecond))
}

// untilElected waits until the controllers have elected another broker than one that is dead.
func (c *elected) untilElected(t *testing.T, dead string) time.Duration {
	t.Helper()
	began := time.Now()
	admin := c.newAdmin(t)
	require.Eventually(t, func() bool {
		sets, err := admin.ReplicaSets(background, c.controllers[0], []string{electedBroker})
		return err == nil && len(sets.Groups) > 0 && sets.Groups[0].MasterAddress != "" && sets.Groups[0].MasterAddress != c.addresses[dead]
	}, 10*time.Second, time.Millisecond, "nobody is elected")
	return time.Since(began)
}

// TestCatchUp measures how fast a broker with an empty directory gets the log of its master, compared with reading the master's files and with writing as many
// bytes to the same disk. `make bench-copies` runs it.
func TestCatchUp(t *testing.T) {
	if os.Getenv("GANTRY_BENCH_COPIES") == "" {
		t.Skip("measures for a minute or two: make bench-copies runs it")
	}
	c := startElected(t, "one")
	c.electedTopic(t, "registered")
	p, err := launch(filepath.Join(t.TempDir(), "bench"), "bench", "-n", c.names, "--messages", "40000", "--size", "16384", "--connections", "2", "--skipConsume", "--json")
	require.NoError(t, err)
	code, err := p.Code()
	require.NoError(t, err)
	require.Zero(t, code, p)
	read, bytes := readAll(t, filepath.Join(c.directory, "one", "commitlog"))
	written := writeAnew(t, filepath.Join(t.TempDir(), "copy"), bytes)
	began := time.Now()
	c.startElectedBroker(t, "two")
	soon(t, func() bool { return c.inSync(t) == 2 }, "the new broker does not catch up")
	caught := time.Since(began)
	megabytes := func(d time.Duration) float64 { return float64(bytes) / 1e6 / d.Seconds() }
	fmt.Printf("a log of %.0f MB: read %.0f MB/s, written and synced %.0f MB/s, caught up with %.0f MB/s (%.2f of written, start and election included)\n",
		float64(bytes)/1e6, megabytes(read), megabytes(written), megabytes(caught), written.Seconds()/caught.Seconds())
}

// readAll reads all files of a directory.
func readAll(t *testing.T, dir string) (took time.Duration, bytes int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	began := time.Now()
	for _, name := range files {
		f, err := os.Open(name)
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, f)
		require.NoError(t, errors.Join(err, f.Close()))
		bytes += n
	}
	return time.Since(began), bytes
}

// writeAnew writes as many bytes to a file, in pieces that are synced.
func writeAnew(t *testing.T, path string, bytes int64) time.Duration {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	piece := make([]byte, 1<<20)
	for i := range piece {
		piece[i] = byte(i)
	}
	began := time.Now()
	for left := bytes; left > 0; left -= int64(len(piece)) {
		_, err := f.Write(piece[:min(left, int64(len(piece)))])
		require.NoError(t, errors.Join(err, f.Sync()))
	}
	require.NoError(t, f.Close())
	return time.Since(began)
}

// measure is one turn of gantry bench.
func measure(t *testing.T, names string, inFlight, messages int) throughput {
	t.Helper()
	p, err := launch(filepath.Join(t.TempDir(), "bench"), "bench", "-n", names, "--messages", fmt.Sprint(messages), "--connections", "2", "--inFlight", fmt.Sprint(inFlight), "--json")
	require.NoError(t, err)
	code, err := p.Code()
	require.NoError(t, err)
	require.Zero(t, code, p)
	var result struct {
		Send, Consume struct{ MessagesPerSecond, P50Micros, P99Micros float64 }
	}
	require.NoError(t, json.Unmarshal([]byte(p.Out.String()), &result))
	return throughput{result.Send.MessagesPerSecond, result.Consume.MessagesPerSecond, result.Send.P50Micros, result.Send.P99Micros}
}

// median takes each column by itself.
func median(all []throughput) (m throughput) {
	column := func(of func(throughput) float64) float64 {
		slices.SortFunc(all, func(a, b throughput) int { return cmp.Compare(of(a), of(b)) })
		return of(all[len(all)/2])
	}
	return throughput{
		column(func(t throughput) float64 { return t.sent }), column(func(t throughput) float64 { return t.consumed }),
		column(func(t throughput) float64 { return t.p50 }), column(func(t throughput) float64 { return t.p99 }),
	}
}
