// Package planted holds wrong behaviours that prove the simulator's checks awake. A planted bug is a small
// edit of a source file; a test builds the simulator with the edited file laid over the real one (go build
// -overlay) and demands that a hunt fails within a stated number of seeds. Production code thus has no
// switches for tests.
//
// Files: bugs.go (the list; bugs_orderly.go, bugs_store_batches.go, bugs_flow.go, bugs_groups.go, bugs_acl.go and their like add to it), overlay.go (applying an edit), planted_test.go (the hunts; build tag planted).
package planted
