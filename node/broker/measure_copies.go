package broker

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/node/measure"
	"github.com/gantrymq/gantry/node/replica"
	"github.com/gantrymq/gantry/transport/proto"
)

// copiesReading is what monitoring shows of masters and slaves.
type copiesReading struct {
	role    Role
	slave   bool
	copies  []copyReading // of a master
	inSync  int           // of them, those that keep up
	needed  int
	refused int64
	elected bool          // controllers decide the role
	epoch   replica.Epoch // then; 0 before there was an election

	following, diverged bool // of a slave
	behind              int64
	behindFor           time.Duration
}

// copyReading is one connection of a slave.
type copyReading struct {
	address string
	behind  int64
	lag     time.Duration
	inSync  bool
}

func (b *Broker) measureCopies() copiesReading {
	r := copiesReading{role: b.options.Role, slave: b.slave != nil, elected: b.options.Election != nil, epoch: b.epochs.Last()}
	if b.slave != nil {
		b.slave.measure(&r)
		return r
	}
	b.copies.measure(&r)
	return r
}

func (c *copies) measure(r *copiesReading) {
	statuses, machines := c.statuses(), map[string]int{}
	for i := range statuses {
		machines[machineOf(&statuses[i])]++
	}
	r.refused, r.needed = c.refused, c.needed()
	for i := range statuses {
		status := &statuses[i]
		// A slave that connects again is another connection, and the same address.
		address := machineOf(status)
		if machines[address] > 1 {
			address = status.Address
		}
		if status.InSync {
			r.inSync++
		}
		r.copies = append(r.copies, copyReading{address: address, behind: status.Behind, lag: time.Duration(status.LagMillis) * time.Millisecond, inSync: status.InSync})
	}
}

// machineOf is where a connection of a copy comes from, without its port.
func machineOf(s *proto.CopyStatus) string {
	address, err := netip.ParseAddrPort(s.Address)
	if err != nil {
		return s.Address
	}
	return address.Addr().String()
}

func (s *slave) measure(r *copiesReading) {
	b := s.broker
	r.following, r.diverged = s.connected, s.diverged != nil
	r.behind = max(int64(s.seen.masterEnd-b.store.Durable()), 0)
	r.behindFor = b.env.Clock.Now().Sub(s.seen.evenAt)
}

func (m *Measurement) showCopies(s *measure.Snapshot) {
	r := &m.copies
	s.Add(metricRole, 1, r.role.String())
	if r.elected {
		s.Add(metricEpoch, float64(r.epoch))
	}
	if r.slave {
		s.AddFlag(metricFollowing, r.following)
		s.AddFlag(metricDiverged, r.diverged)
		s.Add(metricSlaveBehind, float64(r.behind))
		s.Add(metricSlaveBehindFor, r.behindFor.Seconds())
		return
	}
	s.Add(metricCopies, float64(len(r.copies)))
	s.Add(metricCopiesInSync, float64(r.inSync))
	s.Add(metricCopiesNeeded, float64(r.needed))
	s.Add(metricCopiesRefused, float64(r.refused))
	for _, c := range r.copies {
		s.Add(metricCopyBehind, float64(c.behind), c.address)
		s.Add(metricCopyLag, c.lag.Seconds(), c.address)
	}
}

// showRole adds the role, and what there is to say of copies, to what tools show of a running broker.
func (b *Broker) showRole(table map[string]string) {
	r := b.measureCopies()
	table["brokerRole"] = r.role.String()
	if r.elected {
		table["epoch"] = number(int64(r.epoch))
	}
	table["ready"] = strconv.FormatBool(b.ready || b.slave != nil)
	if r.slave {
		table["followsMaster"], table["divergedFromMaster"] = strconv.FormatBool(r.following), strconv.FormatBool(r.diverged)
		table["behindMasterBytes"], table["behindMasterMillis"] = number(r.behind), number(r.behindFor.Milliseconds())
		return
	}
	table["copiesConnected"], table["copiesInSync"] = number(int64(len(r.copies))), number(int64(r.inSync))
	table["copiesNeeded"], table["copiesRefused"] = number(int64(r.needed)), number(r.refused)
}
