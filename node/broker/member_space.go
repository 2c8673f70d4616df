package broker

import (
	"errors"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap"
)

// handOverAgainAfter is when a master with a full disk tries again to have another one elected, if nobody could be: meanwhile it serves consumers.
const handOverAgainAfter = 3 * time.Second

// lookForSpace has another broker elected if the disk of this master is full: it takes no messages, and copies mostly have disks of their own, with space on them. This
// broker follows when there is space again; until then the next master goes on without it.
func (m *Member) lookForSpace() {
	b, now := m.broker, m.env.Clock.Now()
	if b == nil || !m.role.master || !b.ready || b.leaving || m.handing || now < m.handOverAgain || len(m.inSync) <= max(m.options.Replication.MinInSync, 1) {
		return
	}
	full := b.store.Health()
	if b.store.Fenced() != nil || !errors.Is(full, env.ErrNoSpace) {
		return
	}
	m.env.Log.Error("the disk of this master is full: another broker is to take its place", zap.Error(full))
	m.tasks.Go("hand over", func() {
		if _, err := m.giveWay(); err != nil {
			m.handOverAgain = m.env.Clock.Now().Add(handOverAgainAfter)
			m.env.Log.Warn("nobody takes the place of this master, whose disk is full", zap.Error(err))
		}
	})
}
