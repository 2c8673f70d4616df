package store

import (
	"errors"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// keyIndex is the key index of a store and the task that fills it: it follows the log. It may be behind; a
// search waits for it.
type keyIndex struct {
	store    *Store
	files    *index.Index
	follower *Follower
	hurry    env.Cond // somebody searches, or the store closes
	moved    env.Cond // the index has come further, or ended
	mark     index.Mark
	failed   error // why no keys are added any more, until a restart
	ended    bool
	items    []index.Item // reused
	skipped  int64        // bytes of damaged log that have no keys
}

// gatherKeys is how long records wait for their keys to be added, so that many are added at once.
const gatherKeys = 50 * time.Millisecond

// unwrittenKeysMax is how many bytes of items are kept in memory.
const unwrittenKeysMax = 8 << 20

// retryFull is how long a full disk is left alone.
const retryFull = time.Second

// openIndex opens the key index as far as the checkpoint vouches for it. It is filled later, while messages are taken.
func (s *Store) openIndex(state checkpointState, clean bool) error {
	s.keys.mark = state.mark
	if s.options.DisableIndex {
		// What a crash has left of it is for the start that uses it again.
		s.keys.mark.InDoubt = state.mark.InDoubt || !clean && state.mark.Count > 0
		return nil
	}
	files, err := index.Open(s.env.Disk, s.indexOptions(state, clean))
	if err != nil {
		return err
	}
	if next := files.Next(); next > s.flushed || next > 0 && next < s.Start() {
		// The log was cut or removed there. What the index has of it leads nowhere.
		s.env.Log.Warn("the key index does not fit the log: it is made again", zap.Int64("index", int64(next)), zap.Int64("log", int64(s.flushed)))
		if err := files.RemoveAll(); err != nil {
			return errors.Join(err, files.Close())
		}
	}
	s.keys.files, s.keys.mark = files, files.Durable()
	s.keys.follower = s.Follow("key index", max(files.Next(), s.Start()))
	return nil
}

func (s *Store) indexOptions(state checkpointState, clean bool) index.Options {
	options := index.Options{Sizes: s.options.Index, Zone: s.options.Zone, Clean: clean, CompleteAt: state.indexAt}
	if state.own {
		options.Mark = &state.mark
	}
	return options
}

// indexForeign is the error with which openIndex will fail, as far as the names and sizes of the files tell.
func (s *Store) indexForeign(state checkpointState, clean bool) error {
	if s.options.DisableIndex {
		return nil
	}
	return index.Foreign(s.env.Disk, s.indexOptions(state, clean))
}

// run adds keys until the store is closed, and then makes them durable.
func (k *keyIndex) run() {
	err := k.fill()
	if err == nil && k.store.fence == nil {
		err = k.save()
	}
	k.end(err)
}

func (k *keyIndex) end(err error) {
	k.failed, k.ended = err, true
	if err != nil {
		k.mark.InDoubt = true
		k.store.env.Log.Error("the key index is not filled any more until the broker is restarted: messages are taken and consumed, and not found by key", zap.Error(err))
	}
	k.moved.Broadcast()
}

// catchUpMax is how many bytes of log are indexed at most when the store closes: the rest is indexed after the
// next start.
const catchUpMax = 256 << 20

func (k *keyIndex) fill() error {
	s := k.store
	save := s.env.Clock.Now().Add(s.options.SaveQueuesEvery)
	for s.fence == nil {
		if k.follower.Behind() == 0 || s.drained && k.follower.Behind() > catchUpMax {
			if s.drained {
				return nil
			}
			k.follower.Wait(save)
			// After the first record, or while the store closes and its last records are flushed.
			k.hurry.WaitUntil(s.env.Clock.Now().Add(gatherKeys))
		}
		if err := k.retry(k.step); err != nil {
			return err
		}
		much := int64(k.files.Next()-k.mark.Log) >= s.options.CheckpointBytes
		if (save.Reached(s.env.Clock.Now()) || much) && !s.drained {
			if err := k.retry(k.save); err != nil {
				return err
			}
			save = s.env.Clock.Now().Add(s.options.CheckpointEvery)
		}
	}
	return nil
}

// retry repeats what a full disk refused.
func (k *keyIndex) retry(work func() error) error {
	s := k.store
	for {
		err := work()
		if !errors.Is(err, env.ErrNoSpace) || s.closing || s.fence != nil {
			return err
		}
		s.env.Log.Warn("the disk is full: the key index waits for space", zap.Error(err))
		s.stop.WaitUntil(s.env.Clock.Now().Add(retryFull))
	}
}

// step adds the keys of the next records.
func (k *keyIndex) step() error {
	s := k.store
	if len(k.items) > 0 {
		return k.add()
	}
	records, err := k.follower.Next()
	var damage *DamageError
	if errors.As(err, &damage) {
		s.env.Log.Error("messages in a damaged part of the log are not found by key; stop the broker and run gantry inspect check", zap.Error(damage))
		k.skipped += int64(damage.To - damage.From)
		k.follower.Skip(damage)
		return nil
	}
	if err != nil {
		return err
	}
	s.env.Tasks.Offload(func() { k.extract(records) })
	return k.add()
}

// extract finds the keys of records. Rollbacks have none.
func (k *keyIndex) extract(records []Followed) {
	for i := range records {
		r := &records[i].Record
		if r.SysFlags.Transaction() == message.TransactionRolledBack {
			continue
		}
		for key := range message.IndexKeys(r.Properties) {
			k.items = append(k.items, index.Item{Hash: message.IndexKeyHash(r.Topic, key), Log: r.LogOffset, StoredAt: r.StoredAt})
		}
	}
}

// add gives the found keys to the index. What it could not take stays for the next attempt.
func (k *keyIndex) add() error {
	added, err := k.files.Add(k.items, k.follower.At(), int64(k.store.env.Clock.Wall()))
	k.items = slices.Delete(k.items, 0, added)
	k.moved.Broadcast()
	if err == nil && k.files.Unwritten() > unwrittenKeysMax {
		err = k.files.Write()
	}
	return err
}

// save makes the index durable up to where it is, after the records are: the index must never know more than the log.
func (k *keyIndex) save() error {
	s := k.store
	if k.files.Next() == k.mark.Log {
		return nil
	}
	for s.flushed < k.files.Next() {
		if s.fence != nil {
			return nil
		}
		s.unflushed.Signal()
		s.changed.Wait()
	}
	if err := k.files.Save(); err != nil {
		return err
	}
	k.mark = k.files.Durable()
	return nil
}

// completeAt is the store time of the newest record in index files that are complete, wall milliseconds.
func (k *keyIndex) completeAt() int64 {
	if k.files == nil {
		return 0
	}
	return k.files.CompleteAt()
}
