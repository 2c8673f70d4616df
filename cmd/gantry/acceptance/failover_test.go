package acceptance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// How much gantry bench sends in each turn, and how often each number of copies has its turn. The turns alternate, so that all see the same
// machine, and the median counts.
const (
	benchMessages = "20000"
	benchTurns    = 3
)

// throughput is messages per second: sent and acknowledged, and consumed.
type throughput struct{ sent, consumed float64 }

// TestThroughputWithCopies measures what copies cost: SYNC_FLUSH, and each acknowledged message at all copies. All of them share this machine's disk and
// processors, so it is an upper bound of the price. `make bench-copies` runs it.
func TestThroughputWithCopies(t *testing.T) {
	if os.Getenv("GANTRY_BENCH_COPIES") == "" {
		t.Skip("measures for a minute or two: make bench-copies runs it")
	}
	names := []string{"1 broker", "2 copies", "3 copies"}
	groups := []string{own(t).names, startElected(t, "one", "two").names, startElected(t, "one", "two", "three").names}
	measured := make([][]throughput, len(groups))
	for range benchTurns {
		for i, group := range groups {
			measured[i] = append(measured[i], measure(t, group))
		}
	}
	single := median(measured[0])
	load, err := os.ReadFile("/proc/loadavg")
	require.NoError(t, err)
	fmt.Printf("%s messages of 1024 bytes, SYNC_FLUSH, minInSyncReplicas 1, median of %d turns, load %s\n", benchMessages, benchTurns, strings.Fields(string(load))[0])
	fmt.Printf("%-10s %12s %7s %12s %7s\n", "", "sent/s", "ratio", "consumed/s", "ratio")
	for i, name := range names {
		m := median(measured[i])
		fmt.Printf("%-10s %12.0f %7.2f %12.0f %7.2f\n", name, m.sent, m.sent/single.sent, m.consumed, m.consumed/single.consumed)
	}
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
func measure(t *testing.T, names string) throughput {
	t.Helper()
	p, err := launch(filepath.Join(t.TempDir(), "bench"), "bench", "-n", names, "--messages", benchMessages, "--connections", "2", "--json")
	require.NoError(t, err)
	code, err := p.Code()
	require.NoError(t, err)
	require.Zero(t, code, p)
	var result struct {
		Send, Consume struct{ MessagesPerSecond float64 }
	}
	require.NoError(t, json.Unmarshal([]byte(p.Out.String()), &result))
	return throughput{result.Send.MessagesPerSecond, result.Consume.MessagesPerSecond}
}

// median takes each column by itself.
func median(all []throughput) throughput {
	var sent, consumed []float64
	for _, m := range all {
		sent, consumed = append(sent, m.sent), append(consumed, m.consumed)
	}
	slices.Sort(sent)
	slices.Sort(consumed)
	return throughput{sent[len(sent)/2], consumed[len(consumed)/2]}
}
