package index

import "github.com/gantrymq/gantry/transport/message"

// Search calls each with the places of records that may have a key of this hash and may be stored from
// a time to another, wall milliseconds, both included; the newest first. Others may have the same hash, and files keep
// whole seconds, so the caller compares the records. each ends the search with false. A search may run while another
// task adds and removes.
func (x *Index) Search(hash int32, from, to int64, each func(at message.LogOffset) (more bool, err error)) error {
	if hash < 0 {
		return nil // no key has it
	}
	tables := append([]*table(nil), x.tables...)
	for i := len(tables) - 1; i >= 0; i-- {
		t := tables[i]
		if t.header.BeginAt > saturate(to, stepTolerance) {
			continue
		}
		more, err := t.walk(hash, from, to, each)
		switch {
		case err != nil && t.file.Removed():
			// Removed meanwhile: there is nothing to be found any more.
			return nil
		case err != nil || !more:
			return err
		}
	}
	return nil
}

const (
	// second is the precision of stored times in milliseconds.
	second = 1000
	// stepTolerance is how far the calendar may have been set back while messages were stored, in milliseconds:
	// a search looks that much further.
	stepTolerance = 10 * 60 * second
)

// saturate adds without overflow.
func saturate(at, add int64) int64 { return max(at+add, at) }

// walk follows one chain.
func (t *table) walk(hash int32, from, to int64, each func(message.LogOffset) (bool, error)) (more bool, err error) {
	if t.damage != nil {
		return false, t.damage
	}
	number, err := t.newest(t.sizes.slotOf(hash))
	for limit := t.searchEnd(); err == nil && number > 0 && number < limit; {
		var item storedItem
		if item, err = t.item(number); err != nil {
			break
		}
		at := t.header.BeginAt + int64(item.seconds)*second
		if saturate(at, stepTolerance) < from {
			break // older ones follow
		}
		// While the calendar was before the file's beginning, items got no seconds.
		if item.hash == hash && (at <= to || item.seconds == 0) && saturate(at, second) > from {
			if more, err = each(item.log); err != nil || !more {
				return false, err
			}
		}
		// Numbers fall along a chain; in a damaged one they might not, and it would never end.
		limit, number = number, item.previous
	}
	return true, err
}
