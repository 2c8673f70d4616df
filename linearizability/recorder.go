package linearizability

import "slices"

// Recorder collects a history while a run goes on: Begin… when a client calls,
// End… when it has the answer, Refuse when it was told that nothing happened, and nothing
// when no answer came. Now is in nanoseconds of one clock for the whole run. The
// zero value is ready. Not for concurrent use.
type Recorder struct {
	operations []Operation
	hashes     []Hash // what reads showed, kept in few large pieces
}

// Pending stands for an operation that has begun.
type Pending int

func (r *Recorder) begin(o Operation, now int64) Pending {
	o.Call, o.Return = now, now
	r.operations = append(r.operations, o)
	return Pending(len(r.operations) - 1)
}

// end closes an operation and returns it. The first answer counts: a client acts on
// it and a later one changes nothing for it. Then nil is returned.
func (r *Recorder) end(p Pending, outcome Outcome, now int64) *Operation {
	o := &r.operations[p]
	if o.Outcome != OutcomeUnknown {
		return nil
	}
	o.Outcome, o.Return = outcome, max(now, o.Call)
	return o
}

// BeginSend notes that a client sends a message. Repeats says that the client may try
// more than once on its own.
func (r *Recorder) BeginSend(client int, queue string, hash Hash, repeats bool, now int64) Pending {
	return r.begin(Operation{Client: client, Queue: queue, Kind: KindSend, Hash: hash, Repeats: repeats, Offset: OffsetNone}, now)
}

// EndSend notes that the send was acknowledged with an offset.
func (r *Recorder) EndSend(p Pending, offset, now int64) {
	if o := r.end(p, OutcomeDone, now); o != nil {
		o.Offset = offset
	}
}

// BeginRead notes that a client reads from an offset on. Replica says that a replica,
// which may lag behind, is asked.
func (r *Recorder) BeginRead(client int, queue string, offset int64, replica bool, now int64) Pending {
	return r.begin(Operation{Client: client, Queue: queue, Kind: KindRead, Offset: offset, End: OffsetNone, Replica: replica}, now)
}

// EndRead notes what the read showed: the messages from the offset on, and where the queue
// ends, or OffsetNone if the answer did not say. Hashes is copied.
func (r *Recorder) EndRead(p Pending, hashes []Hash, end, now int64) {
	o := r.end(p, OutcomeDone, now)
	if o == nil {
		return
	}
	if cap(r.hashes)-len(r.hashes) < len(hashes) {
		r.hashes = make([]Hash, 0, max(1024, len(hashes)))
	}
	start := len(r.hashes)
	r.hashes = append(r.hashes, hashes...)
	o.Hashes, o.End = r.hashes[start:len(r.hashes):len(r.hashes)], end
}

// BeginCommitOffset notes that a client commits a group's offset. Key names group and queue.
func (r *Recorder) BeginCommitOffset(client int, key string, offset, now int64) Pending {
	return r.begin(Operation{Client: client, Queue: key, Kind: KindCommitOffset, Offset: offset}, now)
}

// BeginFetchOffset notes that a client asks for a group's offset.
func (r *Recorder) BeginFetchOffset(client int, key string, now int64) Pending {
	return r.begin(Operation{Client: client, Queue: key, Kind: KindFetchOffset, Offset: OffsetNone}, now)
}

// EndFetchOffset notes the offset that was told, or OffsetNone.
func (r *Recorder) EndFetchOffset(p Pending, offset, now int64) {
	if o := r.end(p, OutcomeDone, now); o != nil {
		o.Offset = offset
	}
}

// BeginLock notes that a client asks for the lock of a queue, or renews it.
func (r *Recorder) BeginLock(client int, queue string, now int64) Pending {
	return r.begin(Operation{Client: client, Queue: queue, Kind: KindLock}, now)
}

// EndLock notes whether the client was given the lock.
func (r *Recorder) EndLock(p Pending, granted bool, now int64) {
	if o := r.end(p, OutcomeDone, now); o != nil {
		o.Granted = granted
	}
}

// BeginUnlock notes that a client gives the lock of a queue back.
func (r *Recorder) BeginUnlock(client int, queue string, now int64) Pending {
	return r.begin(Operation{Client: client, Queue: queue, Kind: KindUnlock}, now)
}

// BeginForgetLocking notes that whoever keeps the lock of a queue goes down and will
// forget it; Done is called when it is back.
func (r *Recorder) BeginForgetLocking(queue string, now int64) Pending {
	return r.begin(Operation{Client: -1, Queue: queue, Kind: KindForgetLocking}, now)
}

// Done notes the answer of an operation that is not told anything: commit, unlock, forget.
func (r *Recorder) Done(p Pending, now int64) { r.end(p, OutcomeDone, now) }

// Refuse notes an answer that says that nothing happened and nothing will.
func (r *Recorder) Refuse(p Pending, now int64) { r.end(p, OutcomeRefused, now) }

// History returns what has been recorded so far, in the order of the calls.
func (r *Recorder) History() History { return slices.Clone(r.operations) }
