package scenario

import (
	"errors"
	"time"

	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/sim/oracle"
)

func (p *pubsub) judge() { p.judgeHistory(p.recorder.History()) }

// judgeHistory compares what the clients saw with what may be, and then looks at the disks.
func (p *pubsub) judgeHistory(history linearizability.History) {
	p.History = history
	check := oracle.History
	if p.crowded {
		check = oracle.CrowdedHistory
	}
	err := check(p.History, p.Logs)
	switch {
	case errors.Is(err, oracle.ErrUndecided):
		p.Undecided = err.Error()
	case err != nil:
		p.failSafety("%v", err)
		return
	}
	for _, n := range p.cluster.Brokers {
		p.checkFiles(n)
	}
}

// filesWithin bounds closing a broker and reading all its files.
const filesWithin = time.Minute

// checkFiles stops a broker, if it runs, and verifies its store directory.
func (p *pubsub) checkFiles(n *cluster.Node) {
	done := false
	var err error
	p.observer.Tasks.Go("stop broker", func() {
		if n.Ready() {
			err = n.Stop(p.observer, p.observer.Clock.Now().Add(filesWithin))
		}
		done = true
	})
	stopped := p.until("stop broker", filesWithin, func() bool { return done })
	if errors.Is(err, env.ErrIO) {
		// A sync failed while the disk was sick. The broker says so when it closes, and the next start reads the log instead.
		err = nil
	}
	if !stopped || err != nil {
		p.failLiveness("%s does not stop in order within %s, and waits for %v: %v", n, filesWithin, n.Machine.TaskNames(), err)
		return
	}
	done = false
	e := n.Machine.Boot("check")
	e.Tasks.Go("check files", func() {
		err = oracle.Files(e, p.storeOptions)
		done = true
	})
	if !p.until("check files", filesWithin, func() bool { return done }) {
		p.failLiveness("the files of %s cannot be checked within %s", n, filesWithin)
		return
	}
	if err != nil {
		p.failSafety("%s: %v", n, err)
	}
}
