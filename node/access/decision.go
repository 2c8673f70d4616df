package access

import (
	"fmt"
	"net/netip"
)

// Decision is whether a request may be carried out, and why. It is for one request: its texts are made only when they are asked for.
type Decision struct {
	Allowed bool
	// Change says that the request is one of administration: it belongs into the audit log whether it is allowed or not.
	Change bool
	// Account is who asks, such as "User:alice"; "" is somebody without a name.
	Account string
	// Super says that the account may do everything.
	Super bool

	code    int32
	source  netip.Addr
	need    Need   // the one that decided
	hasNeed bool   // false: the request needs nothing in particular
	more    int    // further needs, which were allowed, too
	reason  string // what decided if it was no entry
	entry   *Entry
	policy  string // of the entry
}

// Who is the account for people.
func (d *Decision) Who() string {
	if d.Account == "" {
		return "nobody in particular"
	}
	return d.Account
}

// What is the resource that decided, with what was to be done with it; "" if the request needs none.
func (d *Decision) What() string {
	switch {
	case !d.hasNeed:
		return ""
	case d.more > 0:
		return fmt.Sprintf("%s and %d more", d.need, d.more)
	}
	return d.need.String()
}

// Rule names what decided, in one line, without secrets.
func (d *Decision) Rule() string {
	if d.entry != nil {
		return d.policy + " entry " + d.entry.String()
	}
	return d.reason
}

// Remark is the text of an answer that denies.
func (d *Decision) Remark() string {
	if !d.hasNeed {
		return fmt.Sprintf("%s has no permission for request %d from %s: %s", d.Who(), d.code, d.source, d.Rule())
	}
	return fmt.Sprintf("%s has no permission to access %s from %s: %s", d.Who(), d.need, d.source, d.Rule())
}

// String is one line, as for logs.
func (d *Decision) String() string {
	verb := "denied"
	if d.Allowed {
		verb = "allowed"
	}
	text := fmt.Sprintf("request %d of %s from %s %s by %s", d.code, d.Who(), d.source, verb, d.Rule())
	if what := d.What(); what != "" {
		text += " for " + what
	}
	return text
}

func (d Decision) allow(reason string) Decision {
	d.Allowed, d.reason = true, reason
	return d
}

func (d Decision) deny(reason string) Decision {
	d.Allowed, d.reason = false, reason
	return d
}
