package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/oracle"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
)

func TestEntriesOfDelayedMessagesSayWhenTheyAreDue(t *testing.T) {
	for _, c := range []struct {
		topic, level string
		levels       []time.Duration
		wait         time.Duration // 0: the entry has the tag's hash
	}{
		{"SCHEDULE_TOPIC_XXXX", "1", nil, time.Second},
		{"SCHEDULE_TOPIC_XXXX", "3", nil, 10 * time.Second},
		{"SCHEDULE_TOPIC_XXXX", "18", nil, 2 * time.Hour},
		{"SCHEDULE_TOPIC_XXXX", "19", nil, 2 * time.Hour},
		{"SCHEDULE_TOPIC_XXXX", "2000000000", nil, 2 * time.Hour},
		{"SCHEDULE_TOPIC_XXXX", "2", []time.Duration{time.Minute, 3 * time.Millisecond}, 3 * time.Millisecond},
		{"SCHEDULE_TOPIC_XXXX", "3", []time.Duration{time.Minute, 3 * time.Millisecond}, 3 * time.Millisecond},
		{"SCHEDULE_TOPIC_XXXX", "1", []time.Duration{}, 0},
		{"SCHEDULE_TOPIC_XXXX", "0", nil, 0},
		{"SCHEDULE_TOPIC_XXXX", "-1", nil, 0},
		{"SCHEDULE_TOPIC_XXXX", "x", nil, 0},
		{"SCHEDULE_TOPIC_XXXX", "99999999999999999999", nil, 0},
		{"SCHEDULE_TOPIC_XXXX", "", nil, 0},
		{"topic", "3", nil, 0},
	} {
		key := store.QueueKey{Topic: c.topic, ID: 2}
		options := small(store.SyncFlush)
		options.DelayLevels = c.levels
		var told []int64
		options.Arrived = func(_ store.QueueKey, _ message.QueueOffset, tag int64) { told = append(told, tag) }
		w := newWorld(1, options)
		want := int64(0)
		require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
			r := oracle.RecordOf(&oracle.Sent{Key: key, Body: "body"})
			r.Properties = []byte("TAGS\x01t\x02")
			if c.level != "" {
				r.Properties = append(r.Properties, fmt.Sprintf("DELAY\x01%s\x02", c.level)...)
			}
			a := oracle.NewSending(e)
			s.Append(key, []message.Record{r}, a)
			s.Kick()
			require.Equal(t, store.AppendOK, a.Wait())
			at, ok, err := s.StoredAt(key, 0)
			require.True(t, ok)
			want = at + c.wait.Milliseconds()
			if c.wait == 0 {
				want = message.TagHash([]byte("t"))
			}
			require.Equal(t, []int64{want}, told, "%+v", c)
			return err
		}))
		for _, lost := range []string{"nothing", "consumequeue/"} {
			w.remove(t, lost)
			require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
				result, err := s.Read(store.ReadRequest{Queue: key, CountMax: 1, BytesMax: 1, Matches: func(tag int64) bool { return tag == want }}, nil)
				require.Equal(t, store.ReadFound, result.Status, "%+v", c)
				return err
			}))
			require.NoError(t, w.expectOrder())
		}
		w.machine.Crash(sim.PowerLoss)
		w.kernel.Close()
	}
}

// The table of levels may have been another one when a message was stored; a time before that is damage whatever the table.
func TestACheckTakesTimesOfOtherLevelsForRight(t *testing.T) {
	key := store.QueueKey{Topic: "SCHEDULE_TOPIC_XXXX", ID: 1}
	w := newWorld(1, small(store.SyncFlush))
	defer w.kernel.Close()
	require.NoError(t, w.use(func(e env.Env, s *store.Store) error {
		r := oracle.RecordOf(&oracle.Sent{Key: key, Body: "body"})
		r.Properties = []byte("DELAY\x012\x02")
		a := oracle.NewSending(e)
		s.Append(key, []message.Record{r}, a)
		s.Kick()
		require.Equal(t, store.AppendOK, a.Wait())
		return nil
	}))
	w.options.DelayLevels = []time.Duration{time.Second, time.Millisecond}
	report, err := w.check()
	require.NoError(t, err)
	require.Empty(t, report.Findings())
	const tag = 12 // its place in an entry
	for at, mask := range []byte{0x80, 0x01, 0x01} {
		require.True(t, w.machine.Disk().Corrupt("consumequeue/SCHEDULE_TOPIC_XXXX/1/00000000000000000000", tag+int64(at), mask))
		report, err = w.check()
		require.NoError(t, err)
		require.NotEmpty(t, report.Findings(), "byte %d", at)
		require.True(t, w.machine.Disk().Corrupt("consumequeue/SCHEDULE_TOPIC_XXXX/1/00000000000000000000", tag+int64(at), mask))
	}
}
