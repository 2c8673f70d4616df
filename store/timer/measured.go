package timer

// DueSince is when the first of the entries that wait is or was due, wall milliseconds, as far as pages are loaded: those that are due are. ok is false if
// there is none. It is for monitoring.
func (c *Calendar) DueSince() (due int64, ok bool) {
	if len(c.taken) > 0 {
		return c.taken[0].Due, true
	}
	if len(c.ready) > 0 {
		return c.ready[0].Due, true
	}
	return 0, false
}
