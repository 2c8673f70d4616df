package store

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/gantrymq/gantry/transport/message"
)

// CheckReport tells what Check found in a directory.
type CheckReport struct {
	Clean   bool              // the last broker closed the store; otherwise it crashed
	Start   message.LogOffset // first byte of the log that exists
	End     message.LogOffset // one past the last record
	Records int64             // whole records in the log
	Queues  int               // queues that have files
	Entries int64             // queue entries that fit their record
	Keys    int64             // keys of records that the key index has
	// KeysAgain counts keys that the key index has once more. A Java broker that crashed while it made a file adds the keys of many records twice;
	// a search finds each message once all the same.
	KeysAgain int64
	Indexed   message.LogOffset // how far the key index is durable, by the checkpoint
	Saved     message.LogOffset // what the checkpoint says is durable in the queues; -1 without one of ours
	// Unconfirmed counts messages at the end of the log of a group of brokers that copies had not confirmed at an orderly end: they are in no queue yet.
	Unconfirmed int64
	// Lost lists the parts of the log, in order, that hold no valid record though they should.
	Lost []DamagedRange
	// Damage lists what no crash leaves behind, each as a sentence with exact ranges.
	Damage []string
	// Repairs lists what the next start will put in order: what a crash has left behind, and files of queues and of the key index that are
	// missing or are to be made again.
	Repairs []string
}

// DamagedRange is a part [From, To) of the log.
type DamagedRange struct {
	From, To message.LogOffset
	storedAt int64 // of the record before, wall milliseconds
}

// String names the range.
func (d DamagedRange) String() string { return fmt.Sprintf("[%d, %d)", d.From, d.To) }

// String tells the report in one line; the findings are apart.
func (r CheckReport) String() string {
	state := "closed"
	if !r.Clean {
		state = "crashed"
	}
	text := fmt.Sprintf("%s store: log [%d, %d), %d records, %d queues, %d entries, %d keys, checkpoint %d, %d damages, %d repairs",
		state, r.Start, r.End, r.Records, r.Queues, r.Entries, r.Keys, r.Saved, len(r.Damage), len(r.Repairs))
	if r.KeysAgain > 0 {
		text += fmt.Sprintf(", %d keys twice", r.KeysAgain)
	}
	if r.Unconfirmed > 0 {
		text += fmt.Sprintf(", %d messages that no copy has confirmed", r.Unconfirmed)
	}
	return text
}

// findingsMax bounds each list of a report; what is beyond is counted.
const findingsMax = 1000

// Check verifies a directory that no broker uses: every record from the first file on, every
// queue entry against its record and every record against its entry, what stands behind the ends, and
// that the checkpoint is not ahead of the data. It changes nothing, holds the lock meanwhile
// and waits for the disk. report, if not nil, is told how many bytes of the log were read.
//
// The error is env.ErrLocked, or that of a disk that cannot be read; what is wrong with the
// files is in the report.
func Check(e env.Env, options Options, report func(done, total int64)) (CheckReport, error) {
	c, err := startCheck(e, options, report)
	if err != nil {
		return CheckReport{}, err
	}
	err = c.run()
	return c.report, errors.Join(err, c.end())
}

func startCheck(e env.Env, options Options, report func(done, total int64)) (*checker, error) {
	options = options.withDefaults()
	lock, err := e.Disk.Lock(lockPath)
	if errors.Is(err, env.ErrLocked) {
		return nil, fmt.Errorf("only a closed store can be checked: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("the store's directory cannot be locked, so it is not checked: %w", err)
	}
	if report == nil {
		report = func(done, total int64) {}
	}
	return &checker{
		env: e, options: options, lock: lock, files: segment.NewHandles(e.Disk, options.OpenFilesMax), progress: report,
		queues: map[QueueKey]*checkedQueue{}, excess: map[*[]string]int{},
	}, nil
}

// end closes the files and gives back the lock.
func (c *checker) end() error { return errors.Join(c.close(), c.lock.Unlock()) }

// checker is one run of Check.
type checker struct {
	env      env.Env
	options  Options
	lock     env.Lock
	progress func(done, total int64)
	report   CheckReport
	files    *segment.Handles
	log      *segment.Row
	state    checkpointState
	queues   map[QueueKey]*checkedQueue
	order    []*checkedQueue
	index    *indexChecker
	hashes   []int32 // of the keys of a record, and
	seen     []int32 // of its items; both are reused
	dropped  droppedTopics
	gaps     gap
	newestAt int64             // store time of the newest record
	passed   bool              // a record begins at the checkpoint, or the log ends there
	javaEnd  message.LogOffset // up to where a Java broker's log goes that ended in order, if a queue tells; otherwise 0
	excess   map[*[]string]int // findings beyond the limit of a list
	part     part              // what is being checked
	hurt     [parts]bool       // what has damage
	lost     [][]lostMessages  // of each damaged part of the log, what stood there, as far as queues know
	missing  message.LogOffset // where the log ended once, if that is behind its files; otherwise 0
	foreign  []queueDirectory  // queues whose files cannot be read as those of a queue
	absent   bool              // queues have no files, and the next start knows
	twice    string            // the second directory of a queue that has two of them
}

// part is a part of the store that can be damaged and made again alone.
type part int

const (
	partLog part = iota // and the checkpoint
	partQueues
	partIndex
	partDropped
	parts
)

func (c *checker) run() (err error) {
	if c.report.Clean, err = closedCleanly(c.env.Disk); err != nil {
		return err
	}
	if c.state, err = readCheckpoint(c.env.Disk); err != nil {
		return err
	}
	c.report.Saved = -1
	if c.state.own {
		c.report.Saved = c.state.saved
	}
	c.log, err = segment.Inspect(c.files, logDir, c.options.LogSegmentSize)
	if errors.Is(err, segment.ErrForeign) {
		c.damage("%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	return c.runLog()
}

func (c *checker) runLog() error {
	c.report.Start = message.LogOffset(c.log.Start())
	if n := c.log.Missing(); n > 0 {
		c.find(message.LogOffset(c.log.End()-n), "the last file of the commit log lacks its last %d bytes", n)
	}
	var err error
	if c.dropped, err = readDropped(c.env.Disk); errors.Is(err, errDroppedDamaged) {
		c.in(partDropped, func() error { c.damage("%v", err); return nil })
	} else if err != nil {
		return err
	}
	for _, step := range []struct {
		of    part
		check func() error
	}{
		{partQueues, c.openQueues}, {partQueues, c.findJavaEnd}, {partIndex, c.openIndex}, {partLog, c.checkRecords}, {partLog, c.nameLost},
		{partIndex, c.finishIndex}, {partLog, c.checkMissing}, {partLog, c.checkCheckpoint}, {partQueues, c.finishQueues},
	} {
		if err := c.in(step.of, step.check); err != nil {
			return err
		}
	}
	c.countExcess()
	return nil
}

// in checks something of a part of the store.
func (c *checker) in(of part, check func() error) error {
	before := c.part
	c.part = of
	err := check()
	c.part = before
	return err
}

func (c *checker) finishQueues() error {
	for _, q := range c.order {
		if err := c.finishQueue(q); err != nil {
			return err
		}
	}
	complete := c.checkCount()
	for _, q := range c.order {
		c.reportTroubles(q, complete)
	}
	return nil
}

// damage notes what is wrong however the store was left.
func (c *checker) damage(format string, args ...any) {
	c.hurt[c.part] = true
	c.note(&c.report.Damage, format, args...)
}

// find notes what is wrong at a place in the log. After a crash nothing behind the checkpoint
// need be in order: the next start reads the log from there.
func (c *checker) find(at message.LogOffset, format string, args ...any) {
	if c.excused(at) {
		c.note(&c.report.Repairs, format, args...)
		return
	}
	c.damage(format, args...)
}

// excused reports whether the next start puts in order what is wrong at a place: behind the checkpoint of a broker that has crashed, and behind the end of
// a Java broker's log, which it moves without erasing anything.
func (c *checker) excused(at message.LogOffset) bool {
	return !c.report.Clean && at >= c.report.Saved || c.javaEnd > 0 && at >= c.javaEnd
}

// findJavaEnd asks the queues where the log of a Java broker ends.
func (c *checker) findJavaEnd() error {
	if !c.report.Clean || c.state.own {
		return nil
	}
	for _, q := range c.order {
		if !q.hasFiles() {
			continue
		}
		end, err := q.knownEnd(c.log)
		if err != nil {
			return err
		}
		c.javaEnd = max(c.javaEnd, end)
	}
	return nil
}

func (c *checker) note(list *[]string, format string, args ...any) {
	if len(*list) >= findingsMax {
		c.excess[list]++
		return
	}
	*list = append(*list, fmt.Sprintf(format, args...))
}

func (c *checker) countExcess() {
	for _, list := range []*[]string{&c.report.Damage, &c.report.Repairs} {
		if n := c.excess[list]; n > 0 {
			*list = append(*list, fmt.Sprintf("… and %d more findings", n))
		}
	}
}

// checkRecords reads the log from its first file to its end.
func (c *checker) checkRecords() error {
	scanner := newLogScanner(c.log, c.report.Start)
	for {
		from := scanner.at
		c.pass(from)
		ok, err := scanner.next()
		if err != nil {
			return err
		}
		if ok {
			err = c.checkRecord(scanner)
		} else {
			ok, err = c.stopped(scanner, from)
		}
		if err != nil || !ok {
			return err
		}
		c.progress(int64(scanner.at)-c.log.Start(), c.log.End()-c.log.Start())
	}
}

// pass notices that the checkpoint is a place where a record may begin.
func (c *checker) pass(at message.LogOffset) { c.passed = c.passed || at == c.state.saved }

func (c *checker) checkRecord(scanner *logScanner) error {
	r := &scanner.record
	c.pass(r.LogOffset)
	c.report.Records++
	c.report.End = scanner.at
	c.newestAt = max(c.newestAt, r.StoredAt)
	if err := c.in(partIndex, func() error { return c.checkKeys(r, scanner.at) }); err != nil {
		return err
	}
	return c.in(partQueues, func() error {
		switch {
		case isBridge(r):
			c.gaps.note(r)
			return c.checkLost(r)
		case !hasEntry(r) || c.dropped.covers(r):
			return nil
		}
		return c.checkEntry(r, scanner.at)
	})
}

// stopped decides, where the scanner found no record, whether the log ends there. If not, the
// scanner is put where the next record may begin.
func (c *checker) stopped(scanner *logScanner, from message.LogOffset) (goOn bool, err error) {
	at := scanner.at
	c.pass(at)
	ends := at >= c.state.durable && (scanner.problem == nil || c.excused(at)) || !c.log.Has(int64(at))
	if ends {
		c.report.End = at
		if scanner.problem != nil {
			c.find(at, "the log ends at a record in doubt: %v", scanner.problem)
			return false, nil
		}
		return false, c.checkBehind(at)
	}
	next, err := nextValid(c.log, at)
	if err != nil {
		return false, err
	}
	if c.state.durable > at {
		next = min(next, c.state.durable)
	}
	c.damage("commit log [%d, %d): no valid record: %v", at, next, orUnwritten(scanner.problem))
	c.report.Lost = append(c.report.Lost, DamagedRange{From: at, To: next, storedAt: c.newestAt})
	if c.index != nil {
		if err := c.in(partIndex, func() error { return c.passItems(next, true) }); err != nil {
			return false, err
		}
	}
	*scanner = *newLogScanner(c.log, next)
	return true, nil
}

var errUnwritten = errors.New("nothing was written there")

func orUnwritten(problem error) error {
	if problem != nil {
		return problem
	}
	return errUnwritten
}

// checkBehind looks for bytes behind the end of the log, which must be zero: a later
// record could make them look like messages.
func (c *checker) checkBehind(end message.LogOffset) error {
	first, last, err := nonZero(c.log, int64(end), c.log.End())
	if err == nil && first < last {
		c.find(end, "commit log [%d, %d): bytes behind the end of the log at %d are not zero", first, last, end)
	}
	return err
}

// zeroChunk is how much is compared with zeros at once: little enough to stay in the processor's cache.
const zeroChunk = 128 << 10

var zeros [zeroChunk]byte

// nonZero returns the smallest range that holds every non-zero byte of [from, to).
func nonZero(row *segment.Row, from, to int64) (first, last int64, err error) {
	first, last = to, from
	buffer := make([]byte, min(zeroChunk, row.SegmentSize()))
	for at := from; at < to; {
		n := min(int64(len(buffer)), to-at, row.FileStart(at)+row.SegmentSize()-at)
		if err := row.ReadAt(buffer[:n], at); err != nil {
			return 0, 0, err
		}
		// Nearly all of it is zero, up to a whole file, and comparing is many times as fast as trimming.
		if !bytes.Equal(buffer[:n], zeros[:n]) {
			first = min(first, at+n-int64(len(bytes.TrimLeft(buffer[:n], "\x00"))))
			last = at + int64(len(bytes.TrimRight(buffer[:n], "\x00")))
		}
		at += n
	}
	return first, last, nil
}

// checkMissing looks whether the log was longer than its files are: the checkpoint and the entries of queues know.
func (c *checker) checkMissing() error {
	known := message.LogOffset(0)
	for _, q := range c.order {
		if !q.hasFiles() || c.rebuilds() || !c.state.own && !c.report.Clean {
			continue
		}
		end, err := q.knownEnd(c.log)
		if err != nil {
			return err
		}
		known = max(known, end)
	}
	if c.state.own {
		known = max(known, c.state.durable)
	}
	if end := message.LogOffset(c.log.End()); known > end {
		c.missing = known
		c.damage("commit log [%d, %d): the files are missing; put them back if they are anywhere", end, known)
	}
	return nil
}

// checkCheckpoint compares the checkpoint with what is there.
func (c *checker) checkCheckpoint() error {
	saved := c.state.saved
	switch {
	case c.missing > 0:
	case c.state.own && c.state.durable > c.report.End:
		c.damage("the checkpoint says that the log is durable up to %d, but it ends at %d", c.state.durable, c.report.End)
	case c.state.own && saved < c.report.Start:
		c.damage("commit log [%d, %d): its files are missing: the log must be read from %d on", saved, c.report.Start, saved)
	case c.state.own && saved >= c.report.Start && !c.passed:
		c.damage("the checkpoint says %d, where no record begins", saved)
	}
	if at := min(c.state.physicalAt, c.state.logicsAt); c.report.Records > 0 && at-clockTolerance > c.newestAt {
		c.damage("the checkpoint's times (%d and %d ms) are ahead of the newest record's (%d ms)", c.state.physicalAt, c.state.logicsAt, c.newestAt)
	}
	return nil
}

func (c *checker) close() error {
	var errs []error
	if c.log != nil {
		errs = append(errs, c.log.Close())
	}
	if c.index != nil {
		errs = append(errs, c.index.files.Close())
	}
	for _, q := range c.order {
		if q.row != nil {
			errs = append(errs, q.row.Close())
		}
	}
	return errors.Join(errs...)
}

// Findings lists damage and repairs, one per line.
func (r CheckReport) Findings() string {
	var text strings.Builder
	for _, line := range r.Damage {
		fmt.Fprintf(&text, "damage: %s\n", line)
	}
	for _, line := range r.Repairs {
		fmt.Fprintf(&text, "repair: %s\n", line)
	}
	return text.String()
}
