package lint

import (
	"cmp"
	"slices"
)

// Finding is one breach of a rule.
type Finding struct {
	Where string // the file, with the line if there is one, relative to the module's root
	What  string // what is wrong, and what to do instead
}

// String is "file:line: what".
func (f Finding) String() string { return f.Where + ": " + f.What }

// inOrder sorts findings and drops those found twice, as happens when a file belongs to two builds.
func inOrder(findings []Finding) []Finding {
	slices.SortFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Where, b.Where), cmp.Compare(a.What, b.What))
	})
	return slices.Compact(findings)
}
