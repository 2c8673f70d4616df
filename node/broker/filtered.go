package broker

import (
	"strconv"

	"github.com/gantrymq/gantry/node/filter"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/message"
)

// Filtering happens in two steps. The store looks at the tag hashes of queue entries and reads only records that may match. What it has
// read is then judged by its properties, so that the answer to a pull holds only records that do match. An inner
// batch is one record with properties of its own, and stays or goes as a whole.

// What one pull may look at before it is answered, whether something was found or not: nobody reads gigabytes with one request.
const (
	lookedMax      = 8000    // messages
	lookedBytesMax = 8 << 20 // of records that were read
)

const (
	// chunkMax and chunkBytes bound what is read at once beyond what the pull itself may bring.
	chunkMax   = 256
	chunkBytes = 512 << 10
	// evaluateInline is how much is evaluated with the baton held: messages, times the bytes of the expression. It takes some ten
	// microseconds.
	evaluateInline = 4 << 10
)

// sieve is one filtered read. Its pull's filter judges outside the baton, so it shares nothing that changes.
type sieve struct {
	pull   *pullRequest
	out    []byte // records that matched
	count  int    // messages of these
	looked int    // messages and
	bytes  int    // bytes of records that were looked at

	from message.QueueOffset // where to read on
	full bool                // the record at from matches, and is one too many

	record      message.Record // being judged
	lookup      filter.Lookup  // in its properties
	failures    int64          // messages that the filter could not judge
	failedFirst message.QueueOffset
	failure     error
	err         error // a record that cannot be read
}

// read reads what a pull wants. The memory is buffer's, if it suffices. It waits for the disk.
//
// The status is ReadFound if something matches, and ReadNoMatchedMessage if there are messages and none does, up to Next.
func (b *Broker) read(p *pullRequest, buffer []byte) (store.ReadResult, error) {
	if p.filter.MatchesEverything() {
		return b.store.Read(store.ReadRequest{Queue: p.queue, From: p.from, CountMax: p.count, BytesMax: p.bytes}, buffer)
	}
	s := &sieve{pull: p, from: p.from, out: buffer[:0]}
	s.lookup = s.property
	result, err := b.sift(s)
	b.filters.noteFailures(p, s.failures, s.failedFirst, s.failure)
	return result, err
}

// sift reads chunk after chunk until the answer is full, the queue ends, or enough was looked at.
func (b *Broker) sift(s *sieve) (store.ReadResult, error) {
	request := store.ReadRequest{Queue: s.pull.queue, CountMax: s.pull.count, BytesMax: s.pull.bytes}
	if s.pull.filter.Type() == filter.TypeTag {
		request.Matches = s.pull.filter.MatchesTagHash
	}
	var spare []byte
	defer func() { b.giveBuffer(spare) }()
	var last store.ReadResult // that found messages, matching or not
	for {
		request.From = s.from
		into := s.out
		if s.count > 0 {
			if spare == nil {
				spare = b.takeBuffer()
			}
			into = spare
		}
		chunk, err := b.store.Read(request, into)
		if err != nil || !goesOn(chunk.Status) {
			return s.end(last, chunk, err)
		}
		last = chunk
		taken := s.count
		if s.count > 0 {
			spare = chunk.Bytes[:0]
		} else {
			// What matches stays where it is, moved up over what does not.
			s.out = chunk.Bytes[:0]
		}
		b.judge(s, &chunk)
		if s.err != nil || s.enough(&chunk, s.count-taken) {
			return s.end(last, store.ReadResult{Status: store.ReadNoMatchedMessage}, nil)
		}
		s.widen(&request, chunk.Count, s.count-taken)
	}
}

// goesOn reports whether messages may stand behind what a read has looked at.
func goesOn(status store.ReadStatus) bool {
	return status == store.ReadFound || status == store.ReadNoMatchedMessage
}

// judge takes what matches of a chunk. It waits if there is much to evaluate.
func (b *Broker) judge(s *sieve, chunk *store.ReadResult) {
	s.looked += int(chunk.Next - s.from)
	s.bytes += len(chunk.Bytes)
	s.from = chunk.Next
	if chunk.Count*len(s.pull.expression.text) <= evaluateInline {
		s.take(chunk.Bytes)
		return
	}
	b.env.Tasks.Offload(func() { s.take(chunk.Bytes) })
}

// take adds the records that match, as many as the answer may hold. It does not need the baton.
func (s *sieve) take(records []byte) {
	for len(records) > 0 {
		size, err := message.DecodeRecord(records, &s.record, false)
		if err != nil {
			s.err = err
			return
		}
		if s.matches() {
			n := messagesIn(&s.record)
			if s.count > 0 && (s.count+n > s.pull.count || len(s.out)+size > s.pull.bytes) {
				s.full, s.from = true, s.record.QueueOffset
				return
			}
			s.out = append(s.out, records[:size]...)
			s.count += n
		}
		records = records[size:]
	}
}

// matches judges the record. One that cannot be judged does not match.
func (s *sieve) matches() bool {
	truth, err := s.pull.filter.Evaluate(s.lookup)
	if err != nil {
		if s.failures == 0 {
			s.failedFirst, s.failure = s.record.QueueOffset, err
		}
		s.failures++
	}
	return truth == filter.True
}

// property is the filter's Lookup.
func (s *sieve) property(name string) (string, bool) {
	value, ok := message.PropertyBytes(s.record.Properties, name)
	return string(value), ok
}

// messagesIn is how many messages a record holds.
func messagesIn(r *message.Record) int {
	if r.SysFlags.InnerBatch() {
		// The store has seen to it that it is a number.
		if n, err := strconv.Atoi(message.PropertyString(r.Properties, message.PropertyInnerCount)); err == nil {
			return n
		}
	}
	return 1
}

// enough reports whether the pull is answered with what there is. taken are the messages of the last chunk that matched.
func (s *sieve) enough(chunk *store.ReadResult, taken int) bool {
	switch {
	case s.full, s.looked >= lookedMax, s.bytes >= lookedBytesMax:
		return true
	case s.count == 0:
		return false
	}
	// A chunk that matched wholly is as large as the answer to any pull. What is not in memory is not read ahead.
	return taken == chunk.Count || chunk.Cold || s.count >= s.pull.count || len(s.out) >= s.pull.bytes
}

// widen makes the next chunk as large as it takes to find what the answer still lacks, if as many match as in the last one.
func (s *sieve) widen(request *store.ReadRequest, looked, taken int) {
	times := 1
	switch {
	case taken > 0:
		times = (looked + taken - 1) / taken
	case looked > 0:
		times = chunkMax
	}
	count, bytes := s.pull.count-s.count, s.pull.bytes-len(s.out)
	request.CountMax = max(count, min(count*times, chunkMax))
	request.BytesMax = max(bytes, min(bytes*times, chunkBytes))
}

// end is the outcome: what was found, although the last read may have failed, or else what that read says.
func (s *sieve) end(last, now store.ReadResult, err error) (store.ReadResult, error) {
	last.Next, last.Bytes, last.Count = s.from, s.out, s.count
	switch {
	case s.err != nil:
		return store.ReadResult{}, s.err
	case s.count > 0:
		// What is wrong with the next record is told to the next pull.
		last.Status = store.ReadFound
		return last, nil
	case err != nil:
		return store.ReadResult{}, err
	case now.Status == store.ReadNoMatchedMessage, now.Status == store.ReadOffsetOverflowOne && s.from > s.pull.from:
		last.Status = store.ReadNoMatchedMessage
		return last, nil
	}
	return now, nil
}
