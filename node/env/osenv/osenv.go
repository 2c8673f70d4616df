package osenv

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap"
)

// Options of a world. All fields are optional.
type Options struct {
	// Node names the node in logs and panics.
	Node string
	// Root is the directory below which Disk works. It is made if it does not exist. Empty
	// means that the node has no disk: its calls fail.
	Root string
	// Log receives the node's log lines; nil drops them.
	Log *zap.Logger
	// Seed makes Rand repeatable, for tests. Zero means a seed from the operating system.
	Seed uint64
	// ServerTLS is what listeners do about encryption; nil takes plain connections only.
	ServerTLS *ServerTLS
	// ClientTLS encrypts the connections that are dialled; nil leaves them plain.
	ClientTLS *ClientTLS
}

// World is the production world of one node.
type World struct {
	env.Env

	baton   sync.Mutex
	started sync.WaitGroup // tasks that have not ended
	leave   func(*env.Call)
	secrets *serverTLS   // nil: listeners are plain
	tasking atomic.Int64 // tasks that have not ended
}

// New makes the world of one node. It fails only if the root directory cannot be made, or certificates cannot be used.
func New(options Options) (*World, error) {
	root, err := prepareRoot(options.Root)
	if err != nil {
		return nil, err
	}
	log := options.Log
	if log == nil {
		log = zap.NewNop()
	}
	log = log.Named(options.Node)
	w := &World{}
	if w.secrets, err = newServerTLS(options.ServerTLS, log); err != nil {
		return nil, err
	}
	dials, err := newClientTLS(options.ClientTLS, log)
	if err != nil {
		return nil, err
	}
	w.leave = func(*env.Call) { w.baton.Unlock() }
	w.Env = env.Env{
		Node:    options.Node,
		Clock:   clock{},
		Rand:    newStream(options.Seed),
		Tasks:   tasks{w},
		Door:    door{w},
		Disk:    &disk{world: w, root: root},
		Network: network{w, dials},
		Log:     log,
	}
	return w, nil
}

func prepareRoot(root string) (string, error) {
	if root == "" {
		return "", nil
	}
	absolute, err := filepath.Abs(root)
	if err != nil {
		return "", fmt.Errorf("root directory %s: %w", root, err)
	}
	if err := os.MkdirAll(absolute, 0o755); err != nil {
		return "", fmt.Errorf("root directory %s cannot be made: %w", absolute, err)
	}
	return absolute, nil
}

// Run makes the calling goroutine a task of the node while fn runs.
func (w *World) Run(fn func(e env.Env)) {
	w.baton.Lock()
	defer w.baton.Unlock()
	fn(w.Env)
}

// Wait returns when every task has ended. The caller must not be a task.
func (w *World) Wait() { w.started.Wait() }

// Tasking is how many tasks have not ended. Any goroutine may ask.
func (w *World) Tasking() int64 { return w.tasking.Load() }

// outside runs a system call without the baton.
func (w *World) outside(fn func()) {
	w.baton.Unlock()
	defer w.baton.Lock()
	fn()
}
