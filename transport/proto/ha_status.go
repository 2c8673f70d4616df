package proto

import "fmt"

// CopiesStatus is the body of the answer to ReqGetBrokerHAStatus (class HARuntimeInfo): a master tells of its slaves, a slave of how it follows. Apache's tools
// pass over the keys that are Gantry's own.
type CopiesStatus struct {
	Master    bool         // master
	LogEnd    int64        // masterCommitLogMaxOffset: end of the master's log
	InSync    int32        // inSyncSlaveNums: slaves that keep up
	Slaves    []CopyStatus // haConnectionInfo: of a master
	Following FollowStatus // haClientRuntimeInfo: of a slave
	Role      string       // role, Gantry's own: the broker's brokerRole
	Confirmed int64        // confirmed, Gantry's own: up to where the log is shown to consumers
	Needed    int32        // neededCopies, Gantry's own: how many copies a message has when it is acknowledged
	Refused   int64        // refusedCopies, Gantry's own: connections that did not count, because they could not be those of slaves of this log
	Why       string       // whyRefused, Gantry's own: the last reason, "" without one
}

// CopyStatus is one connection of a slave (class HAConnectionRuntimeInfo).
type CopyStatus struct {
	Address   string // addr: where it comes from
	Acked     int64  // slaveAckOffset: up to where it says to have the log
	Behind    int64  // diff: bytes of the master's log that it lacks
	InSync    bool   // inSync: it keeps up
	Speed     int64  // transferredByteInSecond: bytes that it was sent in the last second
	Sent      int64  // transferFromWhere: up to where it was sent the log
	LagMillis int64  // lagMillis, Gantry's own: how long ago the master had what the slave has now; 0 if it has all
	ID        int64  // brokerId, Gantry's own: by which controllers know a copy; 0 where roles are configured
}

// FollowStatus is how a slave follows (class HAClientRuntimeInfo).
type FollowStatus struct {
	Master    string // masterAddr: the replication port that it takes the log from, "" if it knows none
	Speed     int64  // transferredByteInSecond: bytes that it got in the last second
	LogEnd    int64  // maxOffset: end of its log
	ReadAt    int64  // lastReadTimestamp: wall milliseconds when the master said something, 0 if it has not
	WroteAt   int64  // lastWriteTimestamp: wall milliseconds of its last report, 0 if there was none
	Flushed   int64  // masterFlushOffset: 0 if it is not known
	Connected bool   // activated: it takes the log of a master that continues its own
	Diverged  string // diverged, Gantry's own: why it does not, if an operator has to do something; "" otherwise
}

// String tells the role and how many follow, or whom it follows.
func (s *CopiesStatus) String() string {
	if s.Master {
		return fmt.Sprintf("a master with %d connections of slaves, %d of which keep up", len(s.Slaves), s.InSync)
	}
	return fmt.Sprintf("a slave of %s, connected: %v", s.Following.Master, s.Following.Connected)
}

// Marshal writes the body.
func (s *CopiesStatus) Marshal() []byte {
	var w writer
	w.open('{')
	w.integerMember("confirmed", s.Confirmed)
	w.key("haClientRuntimeInfo")
	w.following(&s.Following)
	w.key("haConnectionInfo")
	w.open('[')
	for i := range s.Slaves {
		w.copyStatus(&s.Slaves[i])
	}
	w.close(']')
	w.integerMember("inSyncSlaveNums", int64(s.InSync))
	w.booleanMember("master", s.Master)
	w.integerMember("masterCommitLogMaxOffset", s.LogEnd)
	w.integerMember("neededCopies", int64(s.Needed))
	w.integerMember("refusedCopies", s.Refused)
	w.stringMember("role", s.Role)
	w.stringMember("whyRefused", s.Why)
	w.close('}')
	return w.text
}

func (w *writer) copyStatus(c *CopyStatus) {
	w.open('{')
	w.stringMember("addr", c.Address)
	w.integerMember("brokerId", c.ID)
	w.integerMember("diff", c.Behind)
	w.booleanMember("inSync", c.InSync)
	w.integerMember("lagMillis", c.LagMillis)
	w.integerMember("slaveAckOffset", c.Acked)
	w.integerMember("transferFromWhere", c.Sent)
	w.integerMember("transferredByteInSecond", c.Speed)
	w.close('}')
}

func (w *writer) following(f *FollowStatus) {
	w.open('{')
	w.booleanMember("activated", f.Connected)
	w.stringMember("diverged", f.Diverged)
	w.integerMember("lastReadTimestamp", f.ReadAt)
	w.integerMember("lastWriteTimestamp", f.WroteAt)
	w.stringMember("masterAddr", f.Master)
	w.integerMember("masterFlushOffset", f.Flushed)
	w.integerMember("maxOffset", f.LogEnd)
	w.integerMember("transferredByteInSecond", f.Speed)
	w.close('}')
}

// copiesStatusJSON is the class as it is written.
type copiesStatusJSON struct {
	Master    looseBool        `json:"master"`
	LogEnd    looseInt64       `json:"masterCommitLogMaxOffset"`
	InSync    looseInt32       `json:"inSyncSlaveNums"`
	Slaves    []copyStatusJSON `json:"haConnectionInfo"`
	Following followStatusJSON `json:"haClientRuntimeInfo"`
	Role      looseString      `json:"role"`
	Confirmed looseInt64       `json:"confirmed"`
	Needed    looseInt32       `json:"neededCopies"`
	Refused   looseInt64       `json:"refusedCopies"`
	Why       looseString      `json:"whyRefused"`
}

type copyStatusJSON struct {
	Address looseString `json:"addr"`
	Acked   looseInt64  `json:"slaveAckOffset"`
	Behind  looseInt64  `json:"diff"`
	InSync  looseBool   `json:"inSync"`
	Speed   looseInt64  `json:"transferredByteInSecond"`
	Sent    looseInt64  `json:"transferFromWhere"`
	Lag     looseInt64  `json:"lagMillis"`
	ID      looseInt64  `json:"brokerId"`
}

type followStatusJSON struct {
	Master    looseString `json:"masterAddr"`
	Speed     looseInt64  `json:"transferredByteInSecond"`
	LogEnd    looseInt64  `json:"maxOffset"`
	ReadAt    looseInt64  `json:"lastReadTimestamp"`
	WroteAt   looseInt64  `json:"lastWriteTimestamp"`
	Flushed   looseInt64  `json:"masterFlushOffset"`
	Connected looseBool   `json:"activated"`
	Diverged  looseString `json:"diverged"`
}

// UnmarshalCopiesStatus reads the body. The error is ErrBody.
func UnmarshalCopiesStatus(body []byte) (*CopiesStatus, error) {
	var in copiesStatusJSON
	if err := unmarshal("HARuntimeInfo", body, &in); err != nil {
		return nil, err
	}
	f := &in.Following
	s := &CopiesStatus{
		Master: bool(in.Master), LogEnd: int64(in.LogEnd), InSync: int32(in.InSync), Role: string(in.Role), Confirmed: int64(in.Confirmed),
		Needed: int32(in.Needed), Refused: int64(in.Refused), Why: string(in.Why),
		Following: FollowStatus{
			Master: string(f.Master), Speed: int64(f.Speed), LogEnd: int64(f.LogEnd), ReadAt: int64(f.ReadAt), WroteAt: int64(f.WroteAt),
			Flushed: int64(f.Flushed), Connected: bool(f.Connected), Diverged: string(f.Diverged),
		},
	}
	for i := range in.Slaves {
		c := &in.Slaves[i]
		s.Slaves = append(s.Slaves, CopyStatus{
			Address: string(c.Address), Acked: int64(c.Acked), Behind: int64(c.Behind), InSync: bool(c.InSync),
			Speed: int64(c.Speed), Sent: int64(c.Sent), LagMillis: int64(c.Lag), ID: int64(c.ID),
		})
	}
	return s, nil
}
