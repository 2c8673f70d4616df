package broker

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/repeat"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

const (
	// repeatsFile is Gantry's own: see repeat.Snapshot.
	repeatsFile = "recentSends"
	// repeatsBytes is how much the log grows before the file is written again although nothing of it concerns the table: a start reads that.
	repeatsBytes = 64 << 20
	// repeatsPatience is how long a start waits for the log to be read before it lets clients in. Usually that is enough; sends with an identity are
	// refused until it is read.
	repeatsPatience = 2 * time.Second
)

// start reads what was sent of late, and leaves the rest to a task.
func (p *repeats) start() {
	if p.broker.options.RepeatsOff {
		return
	}
	p.tasks.Go("know recent sends", p.run)
	for until := p.broker.env.Clock.Now().Add(repeatsPatience); !p.ready && p.whole.WaitUntil(until); {
	}
}

func (p *repeats) run() {
	for !p.ready && !p.broker.closing {
		p.recover()
	}
	p.whole.Broadcast()
	p.broker.saveEvery(saveCursorsEvery, "recent sends", p.save)
}

// recover makes the table out of the file and the log behind it.
func (p *repeats) recover() {
	b := p.broker
	from, stale := p.load()
	follower := b.store.Follow("recent sends", max(from, b.store.Start()))
	defer follower.Close()
	stop := func() bool { return b.closing }
	if !b.readLog(follower, "sends with a sequence", stop, p.replay) {
		return
	}
	if stale {
		// The log may grow beyond what the file speaks of, and a later start would take it for good.
		if err := p.write(); err != nil {
			b.env.Log.Error("sends with a sequence wait: recent sends cannot be saved; it is tried again", zap.Error(err))
			b.pauseFor(tryDeliveryAfter)
			return
		}
		if !b.readLog(follower, "sends with a sequence", stop, p.replay) {
			return
		}
	}
	// Nothing was waited for since all was read.
	p.ready = true
}

// replay adds a record of the log.
func (p *repeats) replay(r *message.Record) {
	if id, sent := isClientSend(r); sent {
		at := sentTo(r)
		at.Log, at.Offset = r.LogOffset, r.QueueOffset
		p.table.Add(id, at, r.StoredAt)
		p.changed = true
	}
}

// load reads the file, and returns from where on the log is to be read. A file that cannot be of this log is passed over: stale says that it must not
// stay.
func (p *repeats) load() (from message.LogOffset, stale bool) {
	b := p.broker
	var saved *repeat.Snapshot
	err := loadFile(b.env.Disk, repeatsFile, func(content []byte) (err error) {
		saved, err = repeat.Decode(content)
		return err
	})
	if err == nil && saved.Covered() > b.store.Confirmed() {
		err = fmt.Errorf("it knows the log up to %d, which ends at %d", saved.Covered(), b.store.Confirmed())
	}
	if err == nil {
		p.table, p.covered = saved.Table(b.repeatLimits()), saved.Covered()
		return p.covered, false
	}
	p.table, p.covered = repeat.NewTable(b.repeatLimits()), 0
	if !errors.Is(err, env.ErrNotExist) {
		b.env.Log.Warn("recent sends are read from the log alone, as far back as they must be known", zap.Duration("time", b.options.RepeatsFor), zap.Error(err))
		stale = true
	}
	return p.since(), stale
}

// since is a place in the log behind which stands all that was stored in the last RepeatsFor: the beginning of a file whose first record is older than
// that, compared with the newest file. It waits for the disk.
func (p *repeats) since() message.LogOffset {
	b := p.broker
	size := message.LogOffset(cmp.Or(b.options.Store.LogSegmentSize, store.DefaultOptions().LogSegmentSize))
	newest := int64(-1)
	for at := max(b.store.Confirmed()-1, 0) / size * size; at > b.store.Start(); at -= size {
		raw, err := b.store.RecordBytes(at)
		storedAt, ok := message.PeekStoredAt(raw)
		if err != nil || !ok {
			continue // the file before tells, too
		}
		if newest < 0 {
			newest = storedAt
		}
		if storedAt <= newest-b.options.RepeatsFor.Milliseconds() {
			return at
		}
	}
	return b.store.Start()
}

// save writes the file if it is worth it.
func (p *repeats) save() error {
	if !p.ready || !p.changed && p.broker.store.Confirmed()-p.covered < repeatsBytes {
		return nil
	}
	return p.write()
}

// write writes the file. What it says must not be ahead of the log: that is made durable first.
func (p *repeats) write() error {
	b := p.broker
	p.changed = false
	snapshot := p.table.Snapshot(b.store.Confirmed())
	err := b.store.Flush()
	if err == nil {
		var text []byte
		b.env.Tasks.Offload(func() { text = snapshot.Encode() })
		err = b.saveTable(repeatsFile, text)
	}
	if err != nil {
		p.changed = true
		return err
	}
	p.covered = snapshot.Covered()
	return nil
}

// close saves the table.
func (p *repeats) close() error {
	p.tasks.Wait()
	return p.save()
}
