package broker

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/replica"
	"github.com/gantrymq/gantry/store"
	"go.uber.org/zap"
)

// electedLink is the connection of a copy to the master that the controller has named.
type electedLink struct {
	slave    *slave
	conn     env.Conn
	input    frameReader
	follower *replica.Follower
	intake   *store.Intake
	tables   tableWriter
	ended    bool
}

// runElected follows the master of the epoch, again and again.
func (s *slave) runElected() {
	b := s.broker
	for !s.closing {
		err := s.followElected()
		s.connected, s.conn = false, nil
		pause := tryElectedAfter
		switch {
		case s.closing:
			return
		case errors.Is(err, replica.ErrDiverged):
			s.diverged = err
			b.env.Log.Error("this copy does not follow", zap.Error(err))
			pause = divergedPause
		case err.Error() == s.seen.trouble:
			b.env.Log.Debug("this copy still does not follow", zap.Error(err))
		default:
			b.env.Log.Info("this copy does not follow; it tries again", zap.Error(err))
		}
		s.seen.trouble = err.Error()
		s.wake.WaitUntil(b.env.Clock.Now().Add(pause))
	}
}

// tryElectedAfter is the pause before a copy connects again.
const tryElectedAfter = 100 * time.Millisecond

// errNotElected: there is no master to follow.
var errNotElected = errors.New("the group has no master")

func (s *slave) followElected() error {
	b := s.broker
	e := b.options.Election
	if e.MasterHA == "" {
		s.wake.WaitUntil(env.Never)
		return errNotElected
	}
	b.store.Kick()
	if err := b.store.Flush(); err != nil {
		return err
	}
	conn, err := s.dial(e.MasterHA)
	if err != nil {
		return err
	}
	s.conn, s.seen.address = conn, e.MasterHA
	link := &electedLink{slave: s, conn: conn, input: frameReader{conn: conn}, tables: tableWriter{broker: b}}
	link.follower = replica.NewFollower(e.Epoch, b.epochs, b.store.End())
	reports := env.NewGroup(b.env.Tasks)
	err = link.run(reports)
	link.ended = true
	s.move.Broadcast()
	s.hangUp()
	reports.Wait()
	return err
}

// run introduces this copy, brings its log in line with the master's, and takes what comes.
func (l *electedLink) run(reports *env.Group) error {
	b := l.slave.broker
	e := b.options.Election
	hello := &replica.Hello{
		ID: e.ID, Incarnation: e.Incarnation, Learner: b.options.Replication.Learner, SegmentSize: b.store.SegmentSize(),
		Start: b.store.Start(), End: b.store.End(), Eras: b.epochs.Eras(),
	}
	if err := l.write(replica.AppendFrame(append([]byte(nil), replica.Magic[:]...), e.Epoch, hello)); err != nil {
		return err
	}
	epoch, frame, err := l.next()
	if err != nil {
		return err
	}
	switch f := frame.(type) {
	case *replica.Refusal:
		return refusedAs(f.Reason)
	case *replica.Welcome:
		plan, err := l.follower.Welcome(epoch, f, b.store.Start())
		if err != nil {
			return err
		}
		if err := l.carryOut(plan); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%w: the master answers a hello with something else than a welcome", replica.ErrFrame)
	}
	l.intake = b.store.Intake()
	b.store.Allow(l.follower.Confirmed())
	reports.Go("report to the master", l.report)
	for !l.slave.closing {
		if err := l.take(); err != nil {
			return err
		}
	}
	return io.EOF
}

// refusedAs is what a master says. Logs that have nothing in common stay so.
func refusedAs(reason string) error {
	err := fmt.Errorf("the master refuses this copy: %s", reason)
	if strings.HasPrefix(reason, replica.ErrDiverged.Error()) {
		err = fmt.Errorf("%w: %w", replica.ErrDiverged, err)
	}
	return err
}

func (l *electedLink) next() (replica.Epoch, replica.Frame, error) {
	b := l.slave.broker
	l.conn.SetReadDeadline(b.env.Clock.Now().Add(b.options.Replication.SilenceMax))
	return l.input.next()
}

func (l *electedLink) write(p []byte) error {
	b := l.slave.broker
	l.conn.SetWriteDeadline(b.env.Clock.Now().Add(b.options.Replication.SilenceMax))
	return l.conn.Write(p)
}

// errReopen: the rest is for the next start.
var errReopen = errors.New("this broker starts again to cut off what the new master does not have")

// carryOut brings the log in line with the master's.
func (l *electedLink) carryOut(plan replica.Plan) error {
	b := l.slave.broker
	if end := b.store.End(); plan.CutAt < end && b.epochs.Last() == 0 {
		return fmt.Errorf("%w: this log goes to %d, the master has the same up to %d at most, and the rest was written before the group had controllers: nothing tells whether it was "+
			"acknowledged. If this broker was the master, stop the others and have it elected (electMaster --unclean); otherwise empty its directory", replica.ErrDiverged, end, plan.CutAt)
	}
	if plan.Anew {
		return l.beginAnew(plan)
	}
	sum, err := b.checksum(plan.CheckFrom, plan.CutAt)
	if err != nil {
		return err
	}
	if sum != plan.Check {
		return fmt.Errorf("%w: by their epochs they are the same up to %d, and the bytes in front of that differ: one of them is damaged; gantry inspect check tells which; empty the directory of this copy if it is this one", replica.ErrDiverged, plan.CutAt)
	}
	if end := b.store.End(); plan.CutAt < end {
		b.env.Log.Warn("the end of the log goes: the master of this epoch does not have it; it was not acknowledged, unless that master was elected though it lacked messages", zap.Int64("from", int64(plan.CutAt)), zap.Int64("to", int64(end)))
		err := b.store.CutLog(plan.CutAt)
		if errors.Is(err, store.ErrShown) {
			return l.reopen(store.PlanCut(b.env.Disk, plan.CutAt, l.follower.Confirmed()))
		}
		if err != nil {
			return err
		}
	}
	b.epochs = replica.Epochs{}
	return l.keepEpochs()
}

// beginAnew is for a copy whose log is of no use.
func (l *electedLink) beginAnew(plan replica.Plan) error {
	b := l.slave.broker
	if b.store.End() > 0 {
		return l.reopen(store.PlanAnew(b.env.Disk))
	}
	if err := b.store.BeginAt(plan.CutAt); err != nil {
		return err
	}
	return l.keepEpochs()
}

func (l *electedLink) reopen(planned error) error {
	if planned != nil {
		return planned
	}
	b := l.slave.broker
	b.env.Log.Error("messages that were confirmed go, because an election has taken a master that does not have them", zap.Stringer("log", b.store))
	b.options.Election.Reopen()
	l.slave.closing = true
	return errReopen
}

// keepEpochs makes durable what the follower knows of the epochs.
func (l *electedLink) keepEpochs() error {
	b := l.slave.broker
	b.epochs, _ = replica.NewEpochs(l.follower.Epochs().Eras())
	return b.saveEpochs()
}

// take waits for the next frame, and carries out all that have come.
func (l *electedLink) take() error {
	epoch, frame, err := l.next()
	for ok := true; ok; {
		if err != nil {
			return err
		}
		if err := l.carry(epoch, frame); err != nil {
			return err
		}
		epoch, frame, ok, err = l.input.buffered()
	}
	if err != nil {
		return err
	}
	if err := l.keepRecords(); err != nil {
		return err
	}
	if err := l.tables.finish(); err != nil {
		return err
	}
	s := l.slave
	s.seen.has(s.broker.store.Durable())
	if _, whole := l.follower.Table(); whole && !s.connected {
		s.connected, s.diverged, s.seen.trouble = true, nil, ""
	}
	s.move.Signal()
	return nil
}

func (l *electedLink) carry(epoch replica.Epoch, frame replica.Frame) error {
	b := l.slave.broker
	switch f := frame.(type) {
	case *replica.Bytes:
		begins, err := l.follower.Bytes(epoch, f)
		if err != nil {
			return err
		}
		if begins {
			// Before any of its bytes.
			if err := l.keepRecords(); err != nil {
				return err
			}
			if err := l.keepEpochs(); err != nil {
				return err
			}
		}
		l.slave.seen.heard(b.env.Clock, len(f.Bytes))
		l.slave.seen.masterWas(f.End, b.env.Clock.Now())
		l.intake.Add(f.Bytes)
		return nil
	case *replica.Change:
		if err := l.follower.Change(epoch, f); err != nil {
			return err
		}
		// What it speaks of comes first.
		if err := l.keepRecords(); err != nil {
			return err
		}
		return l.tables.take(f)
	case *replica.Refusal:
		return refusedAs(f.Reason)
	}
	b.env.Log.Warn("the master sends what a copy does not expect")
	return fmt.Errorf("%w: a copy is sent something else than bytes and changes", replica.ErrFrame)
}

// keepRecords takes the records that have come, and shows what is confirmed.
func (l *electedLink) keepRecords() error {
	b := l.slave.broker
	err := b.keep(l.intake)
	b.store.Allow(l.follower.Confirmed())
	return err
}

// report tells the master how far this copy is: at once when that changes, and now and then.
func (l *electedLink) report() {
	b := l.slave.broker
	var last replica.Position
	// The next report is due a sign of life after the last one, however often there might have been something new meanwhile.
	for until := b.env.Clock.Now(); !l.ended && !l.slave.closing; {
		at := replica.Position{End: b.store.Written(), Flushed: b.store.Flushed(), Table: l.tables.durable}
		if at == last && !until.Reached(b.env.Clock.Now()) {
			l.slave.move.WaitUntil(until)
			continue
		}
		if err := l.write(replica.AppendFrame(nil, b.options.Election.Epoch, &replica.Report{Position: at})); err != nil {
			b.env.Log.Info("the master takes no reports", zap.Error(err))
			l.slave.hangUp()
			return
		}
		last, until = at, b.env.Clock.Now().Add(b.signOfLife())
		l.slave.seen.reportedAt = b.env.Clock.Wall()
	}
}

// signOfLife is the longest silence between the brokers of a group that has a controller: who is silent for some of them is taken for gone.
func (b *Broker) signOfLife() time.Duration {
	return min(b.options.Replication.SignOfLife, b.options.Replication.BehindFor/4)
}
