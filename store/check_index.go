package store

import (
	"errors"
	"slices"

	"github.com/gantrymq/gantry/store/index"
	"github.com/gantrymq/gantry/transport/message"
)

// indexChecker compares the key index with the log. Items stand in the order of the log, so both are walked once, side
// by side.
type indexChecker struct {
	files  *index.Index
	cursor *index.Cursor
	hash   int32             // of the next item
	at     message.LogOffset // of its record
	more   bool
	absent span // records whose keys are not there, so far
	lost   span // items that lead to no record with their key, so far
	// behind reads again a record that was passed, for items that come late.
	behind *logScanner
	passed message.LogOffset // where that record begins, -1 at first
	hashes []int32           // that its items may have
}

// span is a range of the log that a finding is about.
type span struct{ from, to message.LogOffset }

func (s *span) empty() bool { return s.from == s.to }

func (c *checker) openIndex() error {
	if c.options.DisableIndex {
		return nil
	}
	files, err := index.Inspect(c.env.Disk, c.options.Index)
	if errors.Is(err, index.ErrForeign) {
		c.damage("key index: %v", err)
		return nil
	}
	if err != nil {
		return err
	}
	if !c.state.own && !c.report.Clean {
		// Nothing says how much of it was durable. The next start keeps what is complete, and makes the rest again.
		return files.Close()
	}
	inDoubt := !c.report.Clean || c.state.mark.InDoubt
	if c.state.own && inDoubt {
		// What was added later is thrown away by the next start.
		files.Forget(c.state.mark)
	}
	if c.state.own && files.Newest() != c.state.mark.File {
		c.note(&c.report.Repairs, "the key index lacks its newest file: it is made again from the log")
		return files.Close()
	}
	x := &indexChecker{files: files, cursor: files.Cursor(), behind: newLogScanner(c.log, 0), passed: -1}
	c.index = x
	c.report.Indexed = c.state.mark.Log
	verify := files.Verify
	if inDoubt {
		verify = files.VerifyComplete
	}
	findings, err := verify()
	if err != nil {
		return err
	}
	for _, finding := range findings {
		c.damage("%s", finding)
	}
	return x.next()
}

// next moves to the next item.
func (x *indexChecker) next() (err error) {
	x.hash, x.at, x.more, err = x.cursor.Next()
	return err
}

// checkKeys compares a record's keys with the next items.
func (c *checker) checkKeys(r *message.Record, end message.LogOffset) error {
	x := c.index
	if x == nil {
		return nil
	}
	if err := c.passItems(r.LogOffset, false); err != nil {
		return err
	}
	missing, err := c.passKeys(r)
	if err != nil {
		return err
	}
	if missing && c.state.own && r.LogOffset < c.state.mark.Log {
		c.extend(&x.absent, r.LogOffset, end, "the key index lacks keys of records in [%d, %d)")
	}
	return nil
}

// hashesOf are those of a record's keys, in their order.
func (c *checker) hashesOf(r *message.Record) []int32 {
	c.hashes = c.hashes[:0]
	if r.SysFlags.Transaction() != message.TransactionRolledBack {
		for key := range message.IndexKeys(r.Properties) {
			c.hashes = append(c.hashes, message.IndexKeyHash(r.Topic, key))
		}
	}
	return c.hashes
}

// tagHash is that of the tag, which Java brokers add since 5.4, as if it were the key "T#tag".
func tagHash(r *message.Record) int32 {
	tag, _ := message.PropertyBytes(r.Properties, message.PropertyTags)
	return message.IndexKeyHash(r.Topic, append([]byte("T#"), tag...))
}

// passKeys goes on behind the items of a record, and reports whether one of its keys has none. A Java broker adds more: after a
// crash the last record's keys again, and the tag.
func (c *checker) passKeys(r *message.Record) (missing bool, err error) {
	x := c.index
	wanted := c.hashesOf(r)
	tagHash := tagHash(r)
	c.seen = c.seen[:0]
	for x.more && x.at == r.LogOffset && (x.hash == tagHash || slices.Contains(wanted, x.hash)) {
		c.seen = append(c.seen, x.hash)
		if err := x.next(); err != nil {
			return false, err
		}
	}
	for _, hash := range wanted {
		if !slices.Contains(c.seen, hash) {
			missing = true
			continue
		}
		c.report.Keys++
	}
	return missing, nil
}

// passItems goes on to the items of records from a place on. Those before belong to no record there, unless they are of
// records that are gone, or known, or come again.
func (c *checker) passItems(to message.LogOffset, known bool) error {
	x := c.index
	for x.more && x.at < to {
		if !known && x.at >= c.report.Start {
			again, err := c.isAgain()
			if err != nil {
				return err
			}
			c.late(again)
		}
		if err := x.next(); err != nil {
			return err
		}
	}
	return nil
}

// late notes the next item, which is of a place that was passed.
func (c *checker) late(again bool) {
	if again {
		c.report.KeysAgain++
		return
	}
	c.extend(&c.index.lost, c.index.at, c.index.at+1, "the key index has keys at [%d, %d) that no record there has")
}

// isAgain reports whether the record of the next item, which was passed already, has its key.
func (c *checker) isAgain() (bool, error) {
	x := c.index
	if x.at >= c.report.End {
		return false, nil
	}
	if x.passed != x.at {
		x.behind.at, x.behind.problem = x.at, nil
		ok, err := x.behind.next()
		if err != nil {
			return false, err
		}
		x.passed, x.hashes = x.at, x.hashes[:0]
		if r := &x.behind.record; ok && r.LogOffset == x.at {
			x.hashes = append(append(x.hashes, c.hashesOf(r)...), tagHash(r))
		}
	}
	return slices.Contains(x.hashes, x.hash), nil
}

// extend gathers neighbours into one finding.
func (c *checker) extend(s *span, from, to message.LogOffset, text string) {
	if !s.empty() && from-s.to > scanChunk {
		c.damage(text, s.from, s.to)
		*s = span{}
	}
	if s.empty() {
		s.from = from
	}
	s.to = max(s.to, to)
}

// finishIndex notes what is behind the last record.
func (c *checker) finishIndex() error {
	x := c.index
	if x == nil {
		return nil
	}
	if err := c.passItems(message.LogOffset(c.log.End())+1, false); err != nil {
		return err
	}
	if x.more && c.state.own && x.at > c.state.mark.Log {
		c.damage("the key index has keys at %d, which is behind all records whose keys it has", x.at)
	}
	if !x.absent.empty() {
		c.damage("the key index lacks keys of records in [%d, %d)", x.absent.from, x.absent.to)
	}
	if !x.lost.empty() {
		note := c.damage
		if c.javaEnd > 0 && x.lost.from >= c.javaEnd {
			note = func(format string, args ...any) { c.note(&c.report.Repairs, format, args...) }
		}
		note("the key index has keys at [%d, %d) that no record there has", x.lost.from, x.lost.to)
	}
	return nil
}
