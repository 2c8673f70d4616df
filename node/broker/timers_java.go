package broker

import (
	"encoding/binary"
	"errors"

	"github.com/gantrymq/gantry/node/env"
)

// javaTimerCheckpoint is where a Java broker keeps how far its timer wheel has come (class TimerCheckpoint).
const javaTimerCheckpoint = configDir + "/timercheck"

// javaDelivered is a time: a Java broker that had the directory before has delivered what was due until then, as far as it was there. 0: there was
// none.
func (t *timers) javaDelivered() (until int64, err error) {
	f, err := t.broker.env.Disk.Open(javaTimerCheckpoint)
	if errors.Is(err, env.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	p := make([]byte, 8)
	n, err := f.ReadAt(p, 0)
	if n == len(p) {
		until = int64(binary.BigEndian.Uint64(p))
	}
	return until, errors.Join(err, f.Close())
}
