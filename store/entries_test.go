package store_test

import (
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

func entriesOf(t *testing.T, s *store.Store, key store.QueueKey, from message.QueueOffset, countMax int) []store.Entry {
	t.Helper()
	list, ok, err := s.Entries(key, from, countMax)
	require.NoError(t, err)
	require.True(t, ok)
	return list
}

// TestEntriesAreWhatTheQueueSays: the files of a queue hold seven entries here, so that most come from several of them, and the newest from memory.
func TestEntriesAreWhatTheQueueSays(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		for range 20 {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
		}
		all := entriesOf(t, s, key0, 0, 100)
		require.Len(t, all, 20)
		for i, m := range w.ledger.Messages {
			require.Equal(t, store.Entry{
				Number: m.Place.Queue, Count: 1, Log: m.Place.Log, Size: int32(m.RecordSize()), TagHash: message.TagHash([]byte(m.Tag)),
			}, all[i])
		}
		require.Equal(t, all[5:8], entriesOf(t, s, key0, 5, 3))
		require.Equal(t, all[19:], entriesOf(t, s, key0, 19, 3))
		require.Empty(t, entriesOf(t, s, key0, 5, 0))
		require.Empty(t, entriesOf(t, s, key0, 5, -1))
		for _, from := range []message.QueueOffset{-1, 20, 1 << 62} {
			_, ok, err := s.Entries(key0, from, 1)
			require.NoError(t, err)
			require.False(t, ok, "there is no message %d", from)
		}
		_, ok, err := s.Entries(store.QueueKey{Topic: "nowhere"}, 0, 1)
		require.NoError(t, err)
		require.False(t, ok)
	})
}

func TestEntriesOfAQueueOfBatchesComeWhole(t *testing.T) {
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		// Numbers: 0 | 1-3 | 4-9 | 10-18 | 19 | 20-22 | 23-28 | 29-37
		for range 8 {
			require.Equal(t, store.AppendOK, w.ledger.Send(e, s, batchKey, 100))
		}
		all := entriesOf(t, s, batchKey, 0, 38)
		require.Len(t, all, 8)
		require.EqualValues(t, 23, all[6].Number)
		require.EqualValues(t, 6, all[6].Count)
		require.Equal(t, all[2:5], entriesOf(t, s, batchKey, 5, 15), "4-9 holds message 5, and 20 is one too many")
		require.Equal(t, all[7:], entriesOf(t, s, batchKey, 37, 1))
	})
}

func TestEntriesOfAClosedStoreAreRefused(t *testing.T) {
	var closed *store.Store
	opened(t, small(store.SyncFlush), func(w *world, e env.Env, s *store.Store) {
		closed = s
		require.Equal(t, store.AppendOK, w.ledger.Send(e, s, key0, 100))
	})
	_, _, err := closed.Entries(key0, 0, 1)
	require.ErrorIs(t, err, store.ErrClosed)
}
