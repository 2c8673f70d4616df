// Package lint holds the rules that keep Gantry simulable and readable, as
// functions over the syntax tree. Its tests apply them to this repository, so
// that `go test ./...` is the gate and no tool has to be installed.
//
// # The rules
//
//   - imports follow the written policy, and no world reaches the other (policy.go,
//     lattice.go, reach.go);
//   - node code asks only env: no clock, no randomness, no locks, no
//     goroutines of its own (forbidden.go, deterministic.go);
//   - the order of a map reaches nothing (maprange.go, maporder.go);
//   - functions and files stay short (sizes.go);
//   - every package says what it is, in doc.go (documents.go);
//   - test helpers call Helper (helpers.go);
//   - nothing is left behind: no markers, no words about how the code was made (words.go);
//   - every module in go.mod was agreed upon, with a reason (modules.go).
//
// Everything that is allowed although a rule forbids it stands in exceptions.go,
// with its reason. A row there that is no longer needed is itself a finding.
//
// # How it works
//
// ReadTree (tree.go) parses every Go file once, whatever its build constraints. Most
// rules need nothing else. Two facts are asked of the go command: what packages
// outside the module import, and the compiled types of imports, because whether a loop ranges
// over a map cannot be seen in syntax (world.go, types.go).
//
// Each rule returns Findings (finding.go) that name the place and what to do instead, and
// each has tests on small sources that it must reject: a rule that never fails is not trusted.
//
// The package owns no state, waits only for the go command, and writes nothing.
package lint
