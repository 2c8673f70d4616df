package store_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// golden are the files of a closed store with three messages, as testdata has them, without the zeros at their
// ends. The hexadecimal text was made from the tables of FORMAT.md by another program.
func golden(t testing.TB) map[string][]byte {
	t.Helper()
	return map[string][]byte{
		"commitlog/00000000000000000000":        padded(readHex(t, "commitlog.hex"), goldenOptions.LogSegmentSize),
		"consumequeue/A/0/00000000000000000000": padded(readHex(t, "queue_a0.hex"), goldenOptions.QueueSegmentEntries*20),
		"consumequeue/B/1/00000000000000000000": padded(readHex(t, "queue_b1.hex"), goldenOptions.QueueSegmentEntries*20),
		"checkpoint":                            padded(readHex(t, "checkpoint.hex"), 4096),
		"index/20231114221321002":               padded(readHex(t, "index.hex"), 40+4*4+20*4),
		"lock":                                  {},
	}
}

var goldenOptions = store.Options{LogSegmentSize: 66 << 10, BodySizeMax: 1 << 10, QueueSegmentEntries: 4, Index: index.Sizes{Slots: 4, Items: 4}}

func padded(p []byte, size int64) []byte { return append(p, make([]byte, size-int64(len(p)))...) }

// readHex returns the bytes of a file of hexadecimal text, where # starts a comment.
func readHex(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	raw, err := hex.DecodeString(digits.String())
	require.NoError(t, err, name)
	return raw
}

// calendar is a clock whose wall time is set by hand.
type calendar struct {
	env.Clock
	at env.WallMillis
}

func (c *calendar) Wall() env.WallMillis { return c.at }

// writeGolden stores the three messages.
func writeGolden(e env.Env) error {
	wall := &calendar{e.Clock, 1_700_000_000_999}
	e.Clock = wall
	s, err := store.Open(e, goldenOptions)
	if err != nil {
		return err
	}
	for _, m := range []struct {
		key              store.QueueKey
		properties, body string
	}{
		{store.QueueKey{Topic: "A", ID: 0}, "TAGS\x01x\x02", "one"},
		{store.QueueKey{Topic: "B", ID: 1}, "", ""},
		{store.QueueKey{Topic: "A", ID: 0}, "KEYS\x01k\x02TAGS\x01yy", "three"}, // the last separator left out
	} {
		wall.at++
		a := oracle.NewSending(e)
		s.Append(m.key, []message.Record{{
			Topic: []byte(m.key.Topic), QueueID: m.key.ID, Body: []byte(m.body), Properties: []byte(m.properties),
			BornAt: 1_700_000_000_000, BornHost: netip.MustParseAddrPort("10.0.0.1:40000"), StoreHost: netip.MustParseAddrPort("10.0.0.2:10911"),
			// What the store decides it must not take from the record.
			QueueOffset: 77, LogOffset: 88, StoredAt: 99,
		}}, a)
		s.Kick()
		if status := a.Wait(); status != store.AppendOK {
			return errors.Join(errors.New(a.Reason), s.Close())
		}
	}
	return s.Close()
}

// allFiles reads every file below a directory.
func allFiles(e env.Env, dir string, found map[string][]byte) error {
	entries, err := e.Disk.List(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name)
		if entry.IsDir {
			if err := allFiles(e, name, found); err != nil {
				return err
			}
			continue
		}
		f, err := e.Disk.Open(name)
		if err != nil {
			return err
		}
		p := make([]byte, entry.Size)
		if _, err := f.ReadAt(p, 0); err != nil {
			return err
		}
		found[name] = p
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

func expectGolden(t *testing.T, e env.Env) error {
	t.Helper()
	found := map[string][]byte{}
	if err := errors.Join(writeGolden(e), allFiles(e, ".", found)); err != nil {
		return err
	}
	want := golden(t)
	for name, p := range want {
		require.Equal(t, hex.Dump(p), hex.Dump(found[name]), name)
	}
	require.Len(t, found, len(want))
	return nil
}

func TestTheStoreWritesTheGoldenBytes(t *testing.T) {
	w := newWorld(1, goldenOptions)
	defer w.kernel.Close()
	require.NoError(t, w.do(func(e env.Env) error { return expectGolden(t, e) }))
	require.NoError(t, w.expectOrder())
}

func TestTheStoreWritesTheGoldenBytesToRealFiles(t *testing.T) {
	w, err := osenv.New(osenv.Options{Node: "broker", Root: t.TempDir()})
	require.NoError(t, err)
	w.Run(func(e env.Env) {
		require.NoError(t, expectGolden(t, e))
		report, err := store.Check(e, goldenOptions, nil)
		require.NoError(t, err)
		require.Equal(t, store.CheckReport{Clean: true, End: 366, Records: 3, Queues: 2, Entries: 3, Keys: 1, Indexed: 366, Saved: 366}, report)
	})
	w.Wait()
}

func TestTheStoreReadsTheGoldenBytes(t *testing.T) {
	w := newWorld(1, goldenOptions)
	defer w.kernel.Close()
	for name, p := range golden(t) {
		w.overwrite(t, name, 0, p)
	}
	require.NoError(t, w.expectOrder())
	require.NoError(t, w.use(func(_ env.Env, s *store.Store) error {
		require.Equal(t, []store.QueueKey{{Topic: "A", ID: 0}, {Topic: "B", ID: 1}}, s.Queues())
		var bodies []string
		for _, key := range s.Queues() {
			require.NoError(t, oracle.EachMessage(s, key, func(r *message.Record) error {
				bodies = append(bodies, string(r.Body))
				return nil
			}))
		}
		require.Equal(t, []string{"one", "three", ""}, bodies)
		return nil
	}))
}

// A record that does not fit goes to the next file, and the marker declares the rest of the old one used up.
func TestAFileOfTheLogEndsWithAMarker(t *testing.T) {
	w := newWorld(1, goldenOptions)
	defer w.kernel.Close()
	key := store.QueueKey{Topic: "A", ID: 0}
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		for s.Written() < message.LogOffset(goldenOptions.LogSegmentSize) {
			w.ledger.Send(e, s, key, 1000)
		}
		return nil
	}))
	last := w.ledger.Messages[len(w.ledger.Messages)-1]
	require.EqualValues(t, goldenOptions.LogSegmentSize, last.Place.Log)
	content, _ := w.machine.Disk().Content("commitlog/00000000000000000000")
	size := w.ledger.Messages[1].Place.Log
	at := last.Place.Log % size
	marker := content[last.Place.Log-at:]
	require.Equal(t, []byte{0, 0, byte(at >> 8), byte(at), 0xCB, 0xD4, 0x31, 0x94}, marker[:8])
	require.Empty(t, bytes.Trim(marker[8:], "\x00"))
}
