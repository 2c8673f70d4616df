package env

import "go.uber.org/zap"

// Env is everything one node may ask of the world. It is made by a world (osenv
// or sim), one for each node, and passed down by value.
type Env struct {
	// Node names the node in logs and traces.
	Node    string
	Clock   Clock
	Rand    Rand
	Tasks   Tasks
	Door    Door
	Disk    Disk
	Network Network
	// Log writes with the world's clock, so that simulated logs carry virtual time and
	// compare byte for byte. It never waits.
	Log *zap.Logger
}
