package broker

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Role is what a broker is within its group, the brokers of one name (brokerRole).
type Role int

// The roles that can be configured.
const (
	AsyncMaster Role = iota // ASYNC_MASTER: it acknowledges by itself, and slaves follow as they can
	SyncMaster              // SYNC_MASTER: it acknowledges what enough copies have
	Slave                   // SLAVE: it takes the log of its master, and serves reads

	// The roles that a controller gives. A Member starts a broker in one of them, with an Election.
	ElectedMaster
	ElectedCopy
)

var roleNames = [...]string{"ASYNC_MASTER", "SYNC_MASTER", "SLAVE", "elected master", "elected copy"}

// String is the protocol's word.
func (r Role) String() string {
	if r < 0 || int(r) >= len(roleNames) {
		return fmt.Sprintf("role %d", int(r))
	}
	return roleNames[r]
}

// Replication are the settings of copies. Zero fields take the defaults of DefaultReplication.
type Replication struct {
	// Listen is the address of the replication port of a master (haListenPort). "" opens none: it has no slaves.
	Listen string
	// AdvertisedIP is the address of that port that slaves are told (brokerIP2); the one that clients are told if it is not set.
	AdvertisedIP netip.Addr
	// Master is where a slave finds the replication port of its master, host:port (haMasterAddress). "" asks the name servers.
	Master string
	// InSync is how many copies a SYNC_MASTER has of what it acknowledges, its own included (inSyncReplicas), MinInSync how many must keep up for it to take
	// messages at all (minInSyncReplicas), and Total how many the group has (totalReplicas). A slave with more than 2 shows only what so many copies have.
	InSync, MinInSync, Total int
	// AutoInSync lets fewer than InSync copies do, but not fewer than MinInSync, while others do not keep up (enableAutoInSyncReplicas).
	AutoInSync bool
	// GapMax is how many bytes a copy that keeps up may lack (haMaxGapNotInSync).
	GapMax int64
	// BatchBytes is the most that one frame carries (haTransferBatchSize), BytesPerSecond the most for each slave; 0 is no limit (maxHaTransferByteInSecond).
	BatchBytes     int
	BytesPerSecond int64
	SignOfLife     time.Duration // haSendHeartbeatInterval: longest silence
	SilenceMax     time.Duration // haHousekeepingInterval: who is silent longer is taken for dead
	TryAgainAfter  time.Duration // the pause before a slave connects again
	CopyTables     time.Duration // how often a slave looks for changed tables at its master
	BehindFor      time.Duration // haMaxTimeSlaveNotCatchup: a copy that lacks something for so long leaves the in-sync set of an elected master
	Learner        bool          // asyncLearner: this copy never enters it
	WaitFor        time.Duration // slaveTimeout: how long a change of a table waits for copies
}

// DefaultReplication are the settings of a broker called as it stands: it has no copies.
func DefaultReplication() Replication {
	return Replication{
		InSync: 1, MinInSync: 1, Total: 1, GapMax: 256 << 20, BatchBytes: 256 << 10,
		SignOfLife: 5 * time.Second, SilenceMax: 20 * time.Second, TryAgainAfter: time.Second, CopyTables: time.Second,
		BehindFor: 2 * time.Second, WaitFor: 3 * time.Second,
	}
}

func (r Replication) withDefaults() Replication {
	d := DefaultReplication()
	fill(&r.InSync, d.InSync)
	fill(&r.MinInSync, d.MinInSync)
	fill(&r.Total, max(r.InSync, d.Total))
	fill(&r.GapMax, d.GapMax)
	fill(&r.BatchBytes, d.BatchBytes)
	fill(&r.SignOfLife, d.SignOfLife)
	fill(&r.SilenceMax, d.SilenceMax)
	fill(&r.TryAgainAfter, d.TryAgainAfter)
	fill(&r.CopyTables, d.CopyTables)
	fill(&r.BehindFor, d.BehindFor)
	fill(&r.WaitFor, d.WaitFor)
	return r
}

// validateElected is validate for groups that have a controller.
func (r Replication) validateElected(role Role, id int64) error {
	switch {
	case role == ElectedMaster && id != 0 || role == ElectedCopy && id < 1:
		return fmt.Errorf("brokerId %d: of an %v", id, role)
	case r.MinInSync < 1:
		return fmt.Errorf("minInSyncReplicas %d: want at least 1", r.MinInSync)
	case r.Listen == "" || portOf(r.Listen) == "0":
		return errors.New("haListenPort: a broker that may be elected needs one of its own: copies are told where it is before it is open")
	case r.SilenceMax <= r.SignOfLife:
		return fmt.Errorf("haHousekeepingInterval %v: it must be longer than haSendHeartbeatInterval, %v", r.SilenceMax, r.SignOfLife)
	}
	return nil
}

// batchBytesMax is what Apache's slaves have room for.
const batchBytesMax = 4<<20 - 64

// validate names the first setting that cannot keep what the role promises.
func (r Replication) validate(role Role, id int64) error {
	switch {
	case role == ElectedMaster || role == ElectedCopy:
		return r.validateElected(role, id)
	case role < AsyncMaster || role > Slave:
		return fmt.Errorf("brokerRole %v: want ASYNC_MASTER, SYNC_MASTER or SLAVE", role)
	case role == Slave && id < 1:
		return fmt.Errorf("brokerId %d: a SLAVE has an id of its own in its group, 1 or more", id)
	case role != Slave && id != 0:
		return fmt.Errorf("brokerId %d: a master has the id 0; for a slave set brokerRole=SLAVE", id)
	case r.MinInSync < 1 || r.InSync < r.MinInSync || r.Total < r.InSync:
		return fmt.Errorf("totalReplicas %d, inSyncReplicas %d, minInSyncReplicas %d: want each to be at least the next one, and the last at least 1", r.Total, r.InSync, r.MinInSync)
	case role == SyncMaster && r.InSync < 2:
		return fmt.Errorf("inSyncReplicas %d: a SYNC_MASTER waits for other copies, so it needs 2 or more; to acknowledge alone set brokerRole=ASYNC_MASTER", r.InSync)
	case role == AsyncMaster && r.MinInSync > 1:
		return fmt.Errorf("minInSyncReplicas %d: an ASYNC_MASTER waits for no other copy, so it cannot promise more than 1; set brokerRole=SYNC_MASTER", r.MinInSync)
	case role == SyncMaster && r.Listen == "":
		return fmt.Errorf("haListenPort: a SYNC_MASTER without it has no slaves, and would never acknowledge")
	case r.BatchBytes < 1024 || r.BatchBytes > batchBytesMax:
		return fmt.Errorf("haTransferBatchSize %d: want 1024 to %d", r.BatchBytes, batchBytesMax)
	case r.SilenceMax <= r.SignOfLife:
		return fmt.Errorf("haHousekeepingInterval %v: it must be longer than haSendHeartbeatInterval, %v", r.SilenceMax, r.SignOfLife)
	}
	return nil
}
