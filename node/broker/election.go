package broker

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/replica"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// Election is what a controller has decided about a broker of its group: what the broker is in one epoch. A Member makes it.
type Election struct {
	ID          replica.BrokerID
	Incarnation int64
	Epoch       replica.Epoch
	Set         replica.Set // in sync, if this broker is the master
	SetEpoch    int32
	// MasterHA is where the master of the epoch sends its log, for who is not the master; "" if there is none.
	MasterHA string
	// Change asks the controller for another in-sync set, and returns the one that there is then. It waits.
	Change func(want replica.Set, setEpoch int32, confirmed int64, copies []replica.Copy) (set replica.Set, now int32, err error)
	// Reopen says that this broker has to start again, to cut off what consumers may have seen: the new master does not have it. It must not wait.
	Reopen func()
	// Notified is told that a controller has news (NOTIFY_BROKER_ROLE_CHANGED). It must not wait.
	Notified func()
	// Drain has other brokers elected rather than this one, or no more (GANTRY_DRAIN_BROKER). It waits.
	Drain func(on bool) (*proto.MasterInfo, error)
}

// loadEpochs reads who has written which part of the log. Eras of bytes that a crash has taken are forgotten.
func (b *Broker) loadEpochs() error {
	content, err := readWhole(b.env.Disk, replica.EpochFile)
	if err != nil || len(content) == 0 {
		return err
	}
	epochs, err := replica.DecodeEpochFile(content)
	if err != nil {
		return fmt.Errorf("%s: %w", replica.EpochFile, epochsDamaged(err))
	}
	epochs.FitTo(b.store.End())
	epochs.DropBefore(b.store.Start())
	b.epochs = epochs
	return nil
}

// saveEpochs makes them durable.
func (b *Broker) saveEpochs() error {
	_, err := segment.ReplaceFile(b.env.Disk, replica.EpochFile, b.epochs.EncodeFile())
	return err
}

// readWhole reads a small file, nothing if there is none.
func readWhole(disk env.Disk, name string) ([]byte, error) {
	f, err := disk.Open(name)
	if errors.Is(err, env.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	content := make([]byte, min(f.Size(), documentMax))
	n, err := f.ReadAt(content, 0)
	return content[:n], errors.Join(err, f.Close())
}

// beginEpoch makes this broker the master of its epoch: from the end of its log on it writes.
func (c *copies) beginEpoch() error {
	b, e := c.broker, c.broker.options.Election
	if err := b.epochs.Begin(e.Epoch, b.store.End()); err != nil {
		return err
	}
	if err := b.saveEpochs(); err != nil {
		return fmt.Errorf("%s: %w", replica.EpochFile, err)
	}
	r := &b.options.Replication
	c.leader = replica.NewLeader(replica.LeaderOptions{
		Self: e.ID, Epoch: e.Epoch, Set: e.Set, SetEpoch: e.SetEpoch, Elected: b.store.End(), Table: b.shared.number,
		MinInSync: r.MinInSync, Written: b.store.AsyncFlush(), BehindFor: r.BehindFor,
	}, b.store.Confirmed(), b.env.Clock.Now())
	c.moved()
	b.env.Log.Info("this broker is master", zap.Stringer("state", c.leader))
	c.tasks.Go("keep the in-sync set", c.keepSet)
	return nil
}

// Prove says that nobody else is elected before a time.
func (b *Broker) Prove(until env.Instant) {
	if l := b.copies.leader; l != nil {
		l.Prove(until, b.env.Clock.Now())
		b.copies.confirm()
	}
}

// Disown says that no lease counts any more.
func (b *Broker) Disown() {
	if l := b.copies.leader; l != nil {
		l.Disown(b.env.Clock.Now())
	}
}

// Decided tells an elected master which in-sync set the controller has.
func (b *Broker) Decided(set replica.Set, setEpoch int32) {
	if l := b.copies.leader; l != nil {
		l.Decided(set, setEpoch, b.env.Clock.Now())
		b.copies.confirm()
	}
}

// Role is what the broker is within its group, and Serving whether it serves messages: a master that has what copies must confirm does not yet.
func (b *Broker) Role() Role { return b.options.Role }

// Serving reports whether a master serves.
func (b *Broker) Serving() bool { return b.slave == nil && b.ready && !b.closing }

// Epochs says who has written which part of the log.
func (b *Broker) Epochs() *replica.Epochs { return &b.epochs }

// Leader is what an elected master knows of its copies, nil for others.
func (b *Broker) Leader() *replica.Leader { return b.copies.leader }

// keepSet asks the controller for another in-sync set when copies keep up or do not any more.
func (c *copies) keepSet() {
	b, e := c.broker, c.broker.options.Election
	for complained := ""; !c.closing; {
		c.wake.WaitUntil(b.env.Clock.Now().Add(lookForCopies))
		c.leader.Own(c.own(), b.env.Clock.Now())
		c.confirm()
		want, ok := c.leader.Change(b.env.Clock.Now())
		if !ok || c.closing {
			continue
		}
		_, setEpoch := c.leader.Set()
		c.leader.Ask(want)
		set, now, err := e.Change(want, setEpoch, int64(c.leader.Confirmed()), c.leader.Copies())
		if err != nil {
			if text := err.Error(); text != complained {
				b.env.Log.Warn("the in-sync set could not be changed; it is tried again", zap.Stringer("wanted", want), zap.Error(err))
				complained = text
			}
			c.wake.WaitUntil(b.env.Clock.Now().Add(askAgainAfter))
			continue
		}
		complained = ""
		c.leader.Decided(set, now, b.env.Clock.Now())
		c.confirm()
		b.env.Log.Info("the in-sync set has changed", zap.Stringer("state", c.leader))
	}
}
