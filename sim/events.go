package sim

import "github.com/gantrymq/gantry/node/env"

// event is one thing that will happen: a task resumes, or the kernel acts.
type event struct {
	at       env.Instant
	priority uint64 // drawn from the seed: decides between events of one instant
	sequence uint64 // decides between equal priorities
	task     *task  // resumed, if its wait number is still the same; or nil
	wait     uint64
	timeout  bool   // the wait ends by its deadline
	act      func() // run in the kernel when task is nil
}

func (e *event) before(other *event) bool {
	if e.at != other.at {
		return e.at < other.at
	}
	if e.priority != other.priority {
		return e.priority < other.priority
	}
	return e.sequence < other.sequence
}

// eventHeap is a binary heap ordered by before.
type eventHeap []event

func (h *eventHeap) push(e event) {
	*h = append(*h, e)
	s := *h
	i := len(s) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !s[i].before(&s[parent]) {
			return
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

func (h *eventHeap) pop() event {
	s := *h
	top := s[0]
	last := len(s) - 1
	s[0] = s[last]
	s[last] = event{}
	*h = s[:last]
	h.sink(0)
	return top
}

func (h eventHeap) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if right := child + 1; right < len(h) && h[right].before(&h[child]) {
			child = right
		}
		if !h[child].before(&h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
