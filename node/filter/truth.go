package filter

// Truth is what an expression says about a message. SQL has three values: a comparison with a
// property that the message does not have is neither true nor false.
type Truth uint8

// The three values. Only True makes a message match.
const (
	Unknown Truth = iota // null in the reference
	False
	True
)

// String returns "unknown", "false" or "true".
func (t Truth) String() string {
	switch t {
	case True:
		return "true"
	case False:
		return "false"
	}
	return "unknown"
}
