package proto

// Perm is a set of permissions of a topic or broker ("perm", class PermName).
type Perm int32

// The bits of Perm.
const (
	PermInherit  Perm = 1 // PERM_INHERIT: topics may be made after this one's settings
	PermWrite    Perm = 2 // PERM_WRITE
	PermRead     Perm = 4 // PERM_READ
	PermPriority Perm = 8 // PERM_PRIORITY: unused

	PermReadWrite = PermRead | PermWrite
)

// Readable reports whether consumers may pull.
func (p Perm) Readable() bool { return p&PermRead != 0 }

// Writable reports whether producers may send.
func (p Perm) Writable() bool { return p&PermWrite != 0 }

// Inherited reports whether topics may be made after this one's settings.
func (p Perm) Inherited() bool { return p&PermInherit != 0 }

// Valid reports whether a topic may have these permissions: 0 to 7.
func (p Perm) Valid() bool { return p >= 0 && p <= PermReadWrite|PermInherit }

// String shows the bits as "RWX", X for inherit, with "-" for a bit that is missing.
func (p Perm) String() string {
	text := []byte("---")
	if p.Readable() {
		text[0] = 'R'
	}
	if p.Writable() {
		text[1] = 'W'
	}
	if p.Inherited() {
		text[2] = 'X'
	}
	return string(text)
}

// TopicSysFlag is the set of system flags of a topic ("topicSysFlag", class TopicSysFlag).
type TopicSysFlag int32

// The bits of TopicSysFlag.
const (
	TopicUnit             TopicSysFlag = 1 // FLAG_UNIT: belongs to one unit
	TopicUnitSubscription TopicSysFlag = 2 // FLAG_UNIT_SUB: has subscriptions from units
)

// Has reports whether all the given bits are set.
func (f TopicSysFlag) Has(bits TopicSysFlag) bool { return f&bits == bits }
