package store

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gantrymq/gantry/transport/message"
	"go.uber.org/zap"
)

// DiskUse are shares of the disk, 0 to 1, at which cleaning becomes stricter.
type DiskUse struct {
	Expire float64 // diskMaxUsedSpaceRatio: expired files go at any hour
	Force  float64 // diskSpaceCleanForciblyRatio: the oldest files go, expired or not
	Refuse float64 // diskSpaceWarningLevelRatio: messages are refused, too
}

// Cleaned counts what cleaning has removed since the store was opened.
type Cleaned struct {
	Files, Bytes int64 // of the log
	// Forced files went before their time because the disk was full. Lost are the messages in them that consumers could still read.
	ForcedFiles, ForcedBytes, Lost int64
}

// String tells the counts in one line.
func (c Cleaned) String() string {
	return fmt.Sprintf("%d files with %d bytes removed, of them %d with %d bytes and %d messages before their time", c.Files, c.Bytes, c.ForcedFiles, c.ForcedBytes, c.Lost)
}

// Cleaned tells what was removed so far.
func (s *Store) Cleaned() Cleaned { return s.cleaned }

// cleanReason is why a file of the log may go.
type cleanReason int

const (
	keepFile     cleanReason = iota
	fileUnshown              // no message in it is shown any more
	fileExpired              // its newest message is older than the log keeps them
	filePastHope             // the disk is too full
)

// manualRounds is for how many rounds CleanNow makes every hour one in which expired files go.
const manualRounds = 20

// CleanNow removes expired files soon, whatever the hour (DELETE_EXPIRED_COMMIT_LOG).
func (s *Store) CleanNow() {
	s.manual = manualRounds
	s.cleanNow.Signal()
}

// clean looks now and then what can go.
func (s *Store) clean() {
	for !s.closing && s.fence == nil {
		s.cleanNow.WaitUntil(s.env.Clock.Now().Add(s.options.CleanEvery))
		if s.closing || s.fence != nil {
			return
		}
		if err := s.alone(s.cleanRound); err != nil {
			s.env.Log.Error("cleaning the store failed; it is tried again", zap.Error(err))
		}
	}
}

// cleanRound does what is due, in the order log, queues, index: what is derived never goes first.
func (s *Store) cleanRound() error {
	use := s.diskUse()
	due := s.due(use)
	if s.manual > 0 {
		s.manual--
	}
	// What cannot be read of one queue keeps nothing else from being cleaned: the disk would become full.
	errs := []error{s.moveMinima(fileExpired), s.expireMessages()}
	before := s.Start()
	errs = append(errs, s.cleanLog(due))
	if s.uncleaned = s.uncleaned || s.Start() > before; !s.uncleaned {
		return errors.Join(errs...)
	}
	err := s.cleanDerived()
	s.uncleaned = err != nil
	return errors.Join(append(errs, err)...)
}

// cleanDerived removes what only spoke of files of the log that are gone. They must not come back without it, so that they are gone for good comes first: to
// remove them may have failed halfway.
func (s *Store) cleanDerived() error {
	if err := s.log.SyncNames(); err != nil {
		return err
	}
	err := s.cleanQueues()
	if s.keys.files != nil {
		_, indexErr := s.keys.files.RemoveBefore(s.Start())
		err = errors.Join(err, indexErr)
	}
	return err
}

// diskUse is the used share of the disk, and whether messages are refused for it.
func (s *Store) diskUse() float64 {
	used, total, err := s.env.Disk.Usage()
	if err != nil || total <= 0 {
		s.report("how full the disk is cannot be found out", err)
		return 0
	}
	if s.full != nil && total-used > int64(s.options.WaitingMax) {
		// The next append may be far away, and who watches the store's health should know.
		s.full = nil
	}
	use, limit := float64(used)/float64(total), s.options.DiskUse
	if use <= limit.Refuse {
		if s.crowded != nil {
			s.env.Log.Info("there is space on the disk again: messages are taken", zap.Float64("used", use))
		}
		s.crowded = nil
		return use
	}
	if s.crowded == nil {
		s.env.Log.Error("the disk is too full: messages are refused", zap.Float64("used", use), zap.Float64("limit", limit.Refuse))
	}
	s.crowded = fmt.Errorf("the disk of the broker is %.1f %% full, above %.1f %% (diskSpaceWarningLevelRatio) no messages are taken; make space or add disk, messages are taken again by themselves", use*100, limit.Refuse*100)
	return use
}

// due is the strongest reason for which files may go now.
func (s *Store) due(use float64) cleanReason {
	limit := s.options.DiskUse
	hour := time.UnixMilli(int64(s.env.Clock.Wall())).In(s.options.Zone).Hour()
	switch {
	case use > limit.Force && !s.options.NeverForce:
		return filePastHope
	case use > limit.Expire || s.manual > 0 || slices.Contains(s.options.DeleteAt, hour):
		return fileExpired
	}
	return fileUnshown
}

// cleanLog removes the oldest files of the log as far as they may go.
func (s *Store) cleanLog(due cleanReason) error {
	for n := 0; n < s.options.DeleteMax && !s.closing && s.fence == nil; n++ {
		reason, err := s.mayGo(due)
		if err != nil || reason == keepFile {
			return err
		}
		if err := s.removeOldest(reason); err != nil {
			return err
		}
		s.report("not all queues could be told that their first messages are gone; it is tried again", s.moveMinima(reason))
		s.stop.WaitUntil(s.env.Clock.Now().Add(s.options.DeletePause))
		if reason == filePastHope {
			due = s.due(s.diskUse())
		}
	}
	return nil
}

// mayGo tells why the oldest file of the log may go, if the reason is due.
func (s *Store) mayGo(due cleanReason) (cleanReason, error) {
	end := message.LogOffset(s.log.Start() + s.log.SegmentSize())
	if int64(end) >= s.log.End() || end > s.readFrom {
		// The file that is written; or a restart would read it.
		return keepFile, nil
	}
	unshown, err := s.shownFrom()
	expired, timeErr := s.expired(end)
	switch err = errors.Join(err, timeErr); {
	case err != nil && due < filePastHope:
		return keepFile, err
	case end > s.followedTo():
		// Somebody still derives something from it.
		if due < filePastHope {
			return keepFile, nil
		}
		return filePastHope, nil
	case end <= unshown:
		return fileUnshown, nil
	case due >= fileExpired && expired:
		return fileExpired, nil
	case due >= filePastHope:
		return filePastHope, nil
	}
	return keepFile, nil
}

// expired reports whether the messages of the files before end are older than the log keeps them: those behind it were
// stored later.
func (s *Store) expired(end message.LogOffset) (bool, error) {
	if end >= s.Confirmed() {
		return false, nil
	}
	scanner := newLogScanner(s.log, end)
	scanner.chunk, scanner.limit = recordChunk, int64(s.Confirmed())
	ok, err := scanner.next()
	if err == nil && scanner.problem != nil {
		// A damaged time must not make young messages expire.
		err = fmt.Errorf("%w: %w", ErrDamaged, scanner.problem)
	}
	return ok && int64(s.env.Clock.Wall())-scanner.record.StoredAt >= s.options.KeepFor.Milliseconds(), err
}

// followedTo is how far all followers have read.
func (s *Store) followedTo() message.LogOffset {
	to := s.flushed
	for _, f := range s.followers {
		to = min(to, f.at)
	}
	return to
}

// unknownLog says that queueLog.minLog is to be read.
const unknownLog = message.LogOffset(-1)

// shownFrom is the first place in the log with a message that is shown. Without limits of topics
// that is not looked for.
func (s *Store) shownFrom() (message.LogOffset, error) {
	if s.options.Retention == nil {
		return 0, nil
	}
	from := s.saved
	for _, q := range slices.Clone(s.order) {
		first, err := q.firstLog()
		if err != nil {
			return 0, fmt.Errorf("queue %s: %w", q.key, err)
		}
		from = min(from, first)
	}
	return from, nil
}

// firstLog is where the first message of the queue stands; far behind everything if there is none.
func (q *queueLog) firstLog() (message.LogOffset, error) {
	if q.min >= q.max {
		return message.LogOffset(positionMax), nil
	}
	if q.minLog == unknownLog {
		at := q.first
		e, err := q.entryAt(at)
		if err != nil {
			return 0, err
		}
		if at == q.first {
			q.minLog = e.log
		}
		return e.log, nil
	}
	return q.minLog, nil
}

// removeOldest removes the first file of the log.
func (s *Store) removeOldest(reason cleanReason) error {
	start, size := s.log.Start(), s.log.SegmentSize()
	fields := []zap.Field{zap.Int64("from", start), zap.Int64("to", start+size)}
	if err := s.log.RemoveFirst(); err != nil {
		return err
	}
	s.cleaned.Files++
	s.cleaned.Bytes += size
	if reason == filePastHope {
		s.cleaned.ForcedFiles++
		s.cleaned.ForcedBytes += size
		s.env.Log.Warn("the disk is too full: a file of the log was removed before its time", fields...)
	} else {
		s.env.Log.Info("an old file of the log was removed", fields...)
	}
	return nil
}

// moveMinima lets all queues begin behind the messages that are gone.
func (s *Store) moveMinima(reason cleanReason) error {
	lost := map[string]int64{}
	total := int64(0)
	var errs []error
	for _, q := range slices.Clone(s.order) {
		n, err := s.moveMinimum(q)
		if err != nil {
			errs = append(errs, fmt.Errorf("queue %s: %w", q.key, err))
		}
		if n > 0 {
			lost[q.key.Topic] += n
			total += n
		}
	}
	if reason == filePastHope && total > 0 {
		s.cleaned.Lost += total
		s.env.Log.Warn("messages that could still be read were lost with it", zap.Int64("messages", total), zap.Any("of topics", lost))
	}
	return errors.Join(errs...)
}

func (s *Store) moveMinimum(q *queueLog) (gone int64, err error) {
	first, err := q.firstLog()
	if err != nil || first >= s.Start() {
		return 0, err
	}
	before := q.min
	oldest := q.first
	from, err := searchEntries(oldest, q.end, q.entryAt, func(e entry) bool { return e.log < s.Start() })
	if err != nil {
		return 0, err
	}
	if err := q.ordered(from, oldest, q.end, q.entryAt); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	err = q.hideBelow(from)
	return int64(q.min - before), err
}

// cleanQueues removes queue files of which all messages are gone.
func (s *Store) cleanQueues() error {
	type leaving struct {
		queue *queueLog
		files int
	}
	var all []leaving
	var errs []error
	entries := int64(0)
	for _, q := range slices.Clone(s.order) {
		n, err := s.removableFiles(q)
		if err != nil {
			errs = append(errs, fmt.Errorf("queue %s: %w", q.key, err))
		}
		if n > 0 {
			all = append(all, leaving{q, n})
			entries += int64(n) * q.row.SegmentSize() / q.layout.size
		}
	}
	if err := s.noteRemoved(entries); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, l := range all {
		for range l.files {
			if err := l.queue.row.RemoveFirst(); err != nil {
				errs = append(errs, fmt.Errorf("queue %s: %w", l.queue.key, err))
				break
			}
		}
	}
	return errors.Join(errs...)
}

// removableFiles is how many of the first files of a queue are not needed any more. The last file stays.
func (s *Store) removableFiles(q *queueLog) (n int, err error) {
	for start, end := q.rowRange(); q.fileEnd(start) < end; start = q.fileEnd(start) {
		may, err := s.mayRemove(q, start)
		if err != nil || !may {
			return n, err
		}
		n++
	}
	return n, nil
}

// mayRemove reports whether the file of a queue that begins at a position is not needed any more.
func (s *Store) mayRemove(q *queueLog, start position) (bool, error) {
	behind := q.fileEnd(start)
	if behind > q.synced || behind > q.first {
		return false, nil
	}
	e, err := q.fileEntry(behind - 1)
	if err != nil || e.log >= s.Start() {
		return false, err
	}
	if !q.layout.batch {
		return true, nil
	}
	if behind == q.synced {
		return false, nil
	}
	// A restart learns the numbers of the messages from an entry that it believes.
	e, err = q.fileEntry(behind)
	return err == nil && e.end() <= s.readFrom, err
}
