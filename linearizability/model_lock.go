package linearizability

import "fmt"

// nobody owns a free lock.
const nobody = -1

// lockState is who was last granted the lock, and the interval in which that happened.
// The instant itself is not known, so neither is that of expiry.
type lockState struct {
	owner    int
	earliest int64
	latest   int64
}

// lockModel is the lock of a queue. The owner may renew it and give it back; another may have it
// when it is free or has expired. It surely has not expired while the time since the
// grant is at most leastLease, and surely has when it is more than mostLease (nanoseconds);
// in between, and as far as the instants are uncertain, either answer is right.
func lockModel(leastLease, mostLease int64) model[lockState] {
	return model[lockState]{
		start: lockState{owner: nobody},
		step: func(s lockState, o *Operation) (lockState, bool) {
			return s.step(o, leastLease, mostLease)
		},
		equal: func(a, b lockState) bool { return a == b },
		hash: func(s lockState) uint64 {
			return mix(mix(uint64(s.owner), Hash(s.earliest)), Hash(s.latest))
		},
		describe: lockState.String,
	}
}

// String names the owner.
func (s lockState) String() string {
	if s.owner == nobody {
		return "free"
	}
	return fmt.Sprintf("owned by client %d since %d at the earliest", s.owner, s.earliest)
}

func (s lockState) step(o *Operation, leastLease, mostLease int64) (lockState, bool) {
	granted := lockState{o.Client, o.Call, o.returns()}
	mayBeFree := s.owner == nobody || s.owner == o.Client || o.returns()-s.earliest > leastLease
	mustBeFree := s.owner == nobody || s.owner == o.Client || o.Call-s.latest > mostLease
	switch {
	case o.Kind == KindForgetLocking, o.Kind == KindUnlock && s.owner == o.Client:
		return lockState{owner: nobody}, true
	case o.Kind == KindUnlock:
		return s, true // of a lock that another has by now
	case o.Outcome == OutcomeUnknown && mayBeFree:
		return granted, true
	case o.Outcome == OutcomeUnknown:
		return s, true
	case o.Granted:
		return granted, mayBeFree
	}
	return s, !mustBeFree
}

// dropRefused drops operations that had no effect.
func dropRefused(operations []*Operation) []*Operation {
	var kept []*Operation
	for _, o := range operations {
		if o.Outcome != OutcomeRefused {
			kept = append(kept, o)
		}
	}
	return kept
}
