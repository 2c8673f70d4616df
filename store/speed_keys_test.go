package store_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

// indexed is a store of short messages with a unique id each, and what a yardstick needs of its files.
type indexed struct {
	b          *testing.B
	places     []store.Place
	index, log *os.File
	random     *sim.Stream
}

func uniqueID(i int) string { return fmt.Sprintf("7F0000012A9F%020X", i) }

// newIndexed fills a store with 100 000 messages, or a million.
func newIndexed(b *testing.B, e env.Env, s *store.Store, root string) *indexed {
	b.Helper()
	k := &indexed{b: b, random: sim.NewStream(1)}
	k.places = k.append(e, s, scaled(100_000, 1_000_000))
	awaitIndex(b, s)
	found, err := filepath.Glob(filepath.Join(root, "index", "*"))
	require.NoError(b, err)
	require.Len(b, found, 1, "all keys are in one file")
	k.index, k.log = k.open(found[0]), k.open(filepath.Join(root, firstLogFile))
	return k
}

func (k *indexed) append(e env.Env, s *store.Store, count int) []store.Place {
	return appendAll(k.b, e, s, count, func(i int) message.Record {
		r := recordOf(benchKey(0), make([]byte, 100))
		r.Properties = fmt.Appendf(nil, "UNIQ_KEY\x01%s\x02", uniqueID(i))
		return r
	})
}

func (k *indexed) open(path string) *os.File {
	k.b.Helper()
	file, err := os.Open(path)
	require.NoError(k.b, err)
	k.b.Cleanup(func() { require.NoError(k.b, file.Close()) })
	return file
}

// searchesPerTurn are few enough for one look.
const searchesPerTurn = 2000

// The messages are found by their unique ids, drawn at random; or there is none with the id that is searched. The yardstick makes the reads that
// this takes at least, of a slot, and of an item and the record if there are any, at random places of the same files. The store has the newest
// part of the index in memory, so it can be faster.
func BenchmarkSearchesByKeyComparedWithTheirReads(b *testing.B) {
	root := b.TempDir()
	onStore(b, root, production(store.AsyncFlush), func(e env.Env, s *store.Store) {
		k := newIndexed(b, e, s, root)
		b.Run("found", func(b *testing.B) { k.raceSearches(b, s, true) })
		b.Run("not-found", func(b *testing.B) { k.raceSearches(b, s, false) })
	})
}

func (k *indexed) raceSearches(b *testing.B, s *store.Store, hit bool) {
	b.Helper()
	r := startRace(b, "pread", searchesPerTurn, "search")
	for b.Loop() {
		r.turn(func() {
			for range searchesPerTurn {
				k.search(b, s, hit)
			}
		}, func() {
			for range searchesPerTurn {
				k.readsOfASearch(hit)
			}
		})
	}
	r.report()
}

// any is a message drawn at random.
func (k *indexed) any() int { return int(k.random.Uint64() % uint64(len(k.places))) }

func (k *indexed) search(b *testing.B, s *store.Store, hit bool) {
	b.Helper()
	i := k.any()
	if !hit {
		i += len(k.places)
	}
	result, err := s.FindByKey(store.KeyQuery{Topic: "bench", Key: uniqueID(i), UniqueID: true, To: math.MaxInt64, CountMax: 32, BytesMax: 1 << 20})
	if err != nil || (result.Count == 1) != hit {
		b.Fatalf("%d messages, %v", result.Count, err)
	}
}

// What stands where in an index file.
const (
	indexHead = 40
	slotSize  = 4
	itemSize  = 20
)

func (k *indexed) readsOfASearch(hit bool) {
	slots := int64(store.DefaultOptions().Index.Slots)
	k.read(k.index, slotSize, indexHead+slotSize*int64(k.random.Uint64()%uint64(slots)))
	if hit {
		k.read(k.index, itemSize, indexHead+slotSize*slots+itemSize*int64(1+k.any()))
		k.read(k.log, int(k.places[1].Log), int64(k.places[k.any()].Log))
	}
}

func (k *indexed) read(file *os.File, length int, at int64) {
	k.b.Helper()
	if _, err := file.ReadAt(make([]byte, length), at); err != nil {
		k.b.Fatal(err)
	}
}

// keysPerTurn is how many messages with one key each are indexed in a turn.
const keysPerTurn = 100_000

// An operation opens a store of 100 000 messages whose index was lost, and waits until all of them are found by key again. The yardstick builds
// the least index that can be searched: it reads the same log, and writes a number per message to a random place of
// a table in memory and the items one after the other to a file. It decodes, verifies and syncs nothing.
func BenchmarkKeysAddedAgainComparedWithATable(b *testing.B) {
	root := b.TempDir()
	k := &indexed{b: b, random: sim.NewStream(1)}
	var end message.LogOffset
	onStore(b, root, production(store.AsyncFlush), func(e env.Env, s *store.Store) {
		k.append(e, s, keysPerTurn)
		end = s.Flushed()
	})
	scan := &bareScan{b: b, to: int64(end)}
	slots := make([]uint32, store.DefaultOptions().Index.Slots)
	onFiles(b, root, func(e env.Env) {
		items := newBareLog(b, e)
		r := startRace(b, "table", keysPerTurn, "key")
		for b.Loop() {
			r.aside(func() { require.NoError(b, os.RemoveAll(filepath.Join(root, "index"))) })
			var s *store.Store
			r.turn(func() { s = k.openEmptyIndex(e) }, func() {
				scan.run(e.Disk)
				k.fillTable(slots, items)
			})
			r.aside(func() { require.NoError(b, s.Close()) })
		}
		items.close()
		r.report()
	})
}

func (k *indexed) openEmptyIndex(e env.Env) *store.Store {
	k.b.Helper()
	s, err := store.Open(e, production(store.AsyncFlush))
	if err != nil {
		k.b.Fatal(err)
	}
	awaitIndex(k.b, s)
	return s
}

func (k *indexed) fillTable(slots []uint32, items *bareLog) {
	k.b.Helper()
	var p []byte
	for i := range keysPerTurn {
		slot := &slots[k.random.Uint64()%uint64(len(slots))]
		p = binary.BigEndian.AppendUint64(p, uint64(i))
		p = binary.BigEndian.AppendUint64(p, uint64(*slot))
		p = binary.BigEndian.AppendUint32(p, uint32(i))
		*slot = uint32(i)
	}
	items.write(p)
}
