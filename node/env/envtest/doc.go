// Package envtest states the contract of package env as tests. Every world
// (osenv for production, sim for the simulator) hands itself to TestAll in its
// own tests, so that a node may rely on the same sentences in both.
//
// # How a world uses it
//
//	func TestTheWorldKeepsTheContract(t *testing.T) {
//		envtest.TestAll(t, world{})
//	}
//
// where world implements World, and Outside too if goroutines that are not
// tasks exist in it. Each clause of the contract is a subtest named by its
// sentence and gets a fresh node, or two, so a failure reads as the sentence
// that does not hold.
//
// # The rules of a clause
//
// A clause runs as a task. In the simulator tasks are coroutines, which
// testing.T.FailNow would destroy, so clauses see only T, which cannot stop
// anything: they assert, and return early where going on makes no sense. What may
// wait for ever in a broken world is given a limit (see patience), so that the
// suite fails instead of hanging.
//
// A clause ends all the tasks it started, and shares no memory between the two
// nodes of a pair: these have two batons.
//
// The suite owns no state, starts no goroutine, and knows no real time. All
// of its waiting goes through the world, so under the virtual clock it takes
// no time.
//
// # What is not here
//
// Faults (crashes, full disks, broken media, resets) belong to the simulator's
// tests. A panic in a task ends the process in production, so that sentence cannot be
// tested from inside.
//
// # Files
//
//   - envtest.go: World, T, TestAll, and how clauses are run
//   - crew.go: starting and joining tasks with limited patience
//   - clock.go, rand.go, tasks.go, cond.go: the small interfaces
//   - queue.go, future.go, semaphore.go: what env builds on Cond
//   - door.go, outside.go: the Door, from Offload and from foreign goroutines
//   - disk.go, file.go, path.go: names, contents, and the limits of the root
//   - network.go, pair.go, conn.go, deadline.go, pressure.go: listeners and streams
package envtest
