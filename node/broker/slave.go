package broker

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/node/replica"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// slave follows a master that was configured (class DefaultHAClient): it takes the master's log, reports how much of it is durable here, and copies the
// master's tables. It speaks to Gantry's masters and to Apache's.
type slave struct {
	broker    *Broker
	conn      env.Conn
	follower  *replica.ClassicFollower
	intake    *store.Intake
	connected bool   // to a master whose log continues this one
	diverged  error  // why it does not follow, until it does
	master    string // address of the master's main port, "" if it is not known
	move      env.Cond
	wake      env.Cond
	dialled   env.Cond // a dial has ended, or the slave is closing
	tasks     *env.Group
	closing   bool
	copied    tableCopy
	seen      followed // what tools and monitoring are told
	compared  string   // where name servers knew the master when haMasterAddress was compared with that
}

func newSlave(b *Broker) *slave {
	return &slave{broker: b, move: b.env.Tasks.NewCond(), wake: b.env.Tasks.NewCond(), dialled: b.env.Tasks.NewCond(), tasks: env.NewGroup(b.env.Tasks)}
}

func (s *slave) start() {
	s.seen.evenAt = s.broker.env.Clock.Now()
	if s.broker.options.Role == ElectedCopy {
		s.tasks.Go("follow the elected master", s.runElected)
		return
	}
	s.tasks.Go("follow the master", s.run)
	s.tasks.Go("copy tables", s.copyLoop)
}

func (s *slave) close() {
	s.closing = true
	s.wake.Broadcast()
	s.dialled.Broadcast()
	s.move.Broadcast()
	s.hangUp()
	s.tasks.Wait()
}

func (s *slave) hangUp() {
	if s.conn == nil {
		return
	}
	if err := s.conn.Close(); err != nil {
		s.broker.env.Log.Debug("closing the connection to the master", zap.Error(err))
	}
}

// moved is told when the log has grown.
func (s *slave) moved() { s.move.Signal() }

// divergedPause is how long a slave waits whose log is not that of its master: an operator has to do something.
const divergedPause = 30 * time.Second

func (s *slave) run() {
	for !s.closing {
		err := s.follow()
		s.connected, s.conn = false, nil
		pause := s.broker.options.Replication.TryAgainAfter
		switch {
		case s.closing:
			return
		case errors.Is(err, replica.ErrDiverged):
			s.diverged = err
			s.broker.env.Log.Error("this slave does not follow", zap.Error(err))
			pause = divergedPause
		case err.Error() == s.seen.trouble:
			s.broker.env.Log.Debug("this slave still does not follow", zap.Error(err))
		default:
			s.broker.env.Log.Warn("this slave does not follow; it tries again", zap.Error(err))
		}
		s.seen.trouble = err.Error()
		// Name servers may know more by now.
		s.broker.names.changed()
		s.wake.WaitUntil(s.broker.env.Clock.Now().Add(pause))
	}
}

// dialled is the outcome of a dial.
type dialled struct {
	conn env.Conn
	err  error
}

// dial connects to the master's replication port. A machine that is gone answers nobody, so who closes the slave does not wait for that: this copy may have
// been elected in its place.
func (s *slave) dial(address string) (env.Conn, error) {
	b := s.broker
	var d *dialled
	left := false
	b.env.Tasks.Go("connect to the master", func() {
		conn, err := b.env.Network.Dial(address, b.env.Clock.Now().Add(b.options.RegisterTimeout))
		if left && err == nil {
			err = conn.Close()
		}
		d = &dialled{conn, err}
		s.dialled.Broadcast()
	})
	for d == nil && !s.closing {
		s.dialled.Wait()
	}
	switch {
	case d == nil:
		left = true
		return nil, io.EOF
	case d.err != nil:
		return nil, fmt.Errorf("the master's replication port %s: %w", address, d.err)
	case s.closing:
		return nil, errors.Join(io.EOF, d.conn.Close())
	}
	return d.conn, nil
}

// errNoMaster: nobody has told where the master is.
var errNoMaster = errors.New("no name server knows a master of this group, and haMasterAddress is not set")

// follow connects to the master and takes its log until something is wrong.
func (s *slave) follow() error {
	b := s.broker
	address := b.options.Replication.Master
	if address == "" {
		address = b.names.masterHA
	}
	if address == "" {
		return errNoMaster
	}
	s.master = b.names.master
	s.compareMasters()
	begin, err := s.prepare()
	if err != nil {
		return err
	}
	conn, err := s.dial(address)
	if err != nil {
		return err
	}
	s.conn = conn
	s.seen.address = address
	b.env.Log.Info("this slave has found its master", zap.String("address", address), zap.Int64("from", int64(begin)))
	reports := env.NewGroup(b.env.Tasks)
	ended := false
	reports.Go("report to the master", func() { s.report(conn, &ended) })
	before := s.seen.received
	err = s.take(conn)
	if errors.Is(err, io.EOF) && s.seen.received == before && !s.closing {
		err = fmt.Errorf("%s ended the connection and had sent nothing: it must be the replication port (haListenPort) of the master, whose log tells why if it refuses this slave: %w", address, err)
	}
	ended = true
	s.move.Broadcast()
	s.hangUp()
	reports.Wait()
	return err
}

// compareMasters warns if the configured master is not the one that name servers know: the protocol of copies does not tell of which group somebody is, and
// the master of another one would count this slave.
func (s *slave) compareMasters() {
	b := s.broker
	configured, known := b.options.Replication.Master, b.names.masterHA
	if configured == "" || known == "" || s.compared == known {
		return
	}
	s.compared = known
	if _, err := netip.ParseAddrPort(configured); err == nil && configured == known || err != nil && portOf(configured) == portOf(known) {
		return
	}
	b.env.Log.Warn("haMasterAddress is not where name servers know a master of this group to let copies in: if it is the port of another group, that one counts this slave as its own copy",
		zap.String("haMasterAddress", configured), zap.String("brokerName", b.options.Name), zap.String("known", known))
}

// prepare finds out from where on the log is to come. All that was taken before is written and durable afterwards.
func (s *slave) prepare() (from message.LogOffset, err error) {
	b := s.broker
	b.store.Kick()
	if err := b.store.Flush(); err != nil {
		return 0, err
	}
	end := b.store.End()
	if end > b.store.Start() {
		file := end - 1 - (end-1)%message.LogOffset(b.store.SegmentSize())
		// Never from 0 on: for Apache's masters that means their newest file.
		from = max(end-replica.ClassicOverlap, file, b.store.Start(), 1)
		tail := make([]byte, end-from)
		if err := b.store.LogBytes(tail, from); err != nil {
			return 0, err
		}
		if last, ok := s.masterEnd("commitLogMaxOffset"); ok && last < end {
			return 0, fmt.Errorf("%w: that of the slave ends at %d, behind the master's, which ends at %d; if the master has lost messages let the slave be the master, otherwise make the slave anew with an empty directory", replica.ErrDiverged, end, last)
		}
		s.follower, s.intake = replica.NewClassicFollower(tail, end), b.store.Intake()
		return from, nil
	}
	return s.prepareEmpty()
}

// prepareEmpty is prepare for a slave that has nothing. It wants all that the master has, and asks it where that begins. A master that does not say sends its newest file.
func (s *slave) prepareEmpty() (message.LogOffset, error) {
	b := s.broker
	first, ok := s.masterEnd("commitLogMinOffset")
	last, known := s.masterEnd("commitLogMaxOffset")
	switch {
	case b.store.End() > 0:
		// It has begun where the master's log did, and nothing has come yet.
		s.follower, s.intake = replica.NewClassicFollowerFrom(b.store.End()), b.store.Intake()
		return b.store.End(), nil
	case !ok || !known || last <= first:
		s.follower, s.intake = replica.NewClassicFollower(nil, 0), b.store.Intake()
		return 0, nil
	case first > 0:
		if err := b.store.BeginAt(first); err != nil {
			return 0, err
		}
		s.follower, s.intake = replica.NewClassicFollowerFrom(first), b.store.Intake()
		return first, nil
	}
	// A log begins with a 0: no record has so many bytes that it would be another one. So the first byte need not be asked for.
	s.follower, s.intake = replica.NewClassicFollowerFrom(1), b.store.Intake()
	s.intake.Add([]byte{0})
	return 1, nil
}

// masterEnd asks the master for one of the ends of its log.
func (s *slave) masterEnd(key string) (message.LogOffset, bool) {
	b := s.broker
	if s.master == "" {
		return 0, false
	}
	response, err := b.outgoing.Call(nil, s.master, &transport.Request{Code: proto.ReqGetBrokerRuntimeInfo}, b.options.RegisterTimeout)
	if err != nil {
		b.env.Log.Info("the master does not tell how long its log is", zap.Error(err))
		return 0, false
	}
	table, err := proto.UnmarshalKVTable(response.Body)
	if err != nil {
		return 0, false
	}
	n, err := whole(table.Table[key], 0, 1<<62)
	return message.LogOffset(n), err == nil
}

// take reads what the master sends.
func (s *slave) take(conn env.Conn) error {
	b := s.broker
	buffer, have := make([]byte, 64<<10), 0
	for !s.closing {
		conn.SetReadDeadline(b.env.Clock.Now().Add(b.options.Replication.SilenceMax))
		n, err := conn.Read(buffer[have:], nil)
		if err != nil {
			return err
		}
		have += n
		s.seen.heard(b.env.Clock, n)
		used, need, err := s.frames(buffer[:have])
		if err != nil {
			return err
		}
		have = copy(buffer, buffer[used:have])
		if need > len(buffer) {
			buffer = append(make([]byte, 0, need), buffer[:have]...)[:need]
		}
		if err := s.keep(); err != nil {
			return err
		}
	}
	return io.EOF
}

// frames gives the bytes of all whole frames to the intake. need is how long the buffer must be for the next frame.
func (s *slave) frames(p []byte) (used, need int, err error) {
	for {
		rest := p[used:]
		if len(rest) < replica.ClassicHeadSize {
			return used, replica.ClassicHeadSize, nil
		}
		at, size, err := replica.ClassicHead(rest)
		if err != nil {
			return used, 0, err
		}
		end := replica.ClassicHeadSize + size
		if len(rest) < end {
			return used, end, nil
		}
		fresh, begins, err := s.follower.Bytes(at, rest[replica.ClassicHeadSize:end])
		if err != nil {
			return used, 0, err
		}
		if begins && at > 0 {
			if err := s.broker.store.BeginAt(at); err != nil {
				return used, 0, err
			}
			s.intake = s.broker.store.Intake()
		}
		s.intake.Add(fresh)
		used += end
	}
}

// unflushedMax bounds what a slave takes before it waits for its disk.
const unflushedMax = 32 << 20

// keep takes the records that have come.
func (s *slave) keep() error {
	if err := s.broker.keep(s.intake); err != nil {
		return err
	}
	if s.follower.Verified() && !s.connected {
		s.connected, s.diverged, s.seen.trouble = true, nil, ""
		s.move.Signal()
	}
	return nil
}

// keep puts the records that an intake has into the log. A topic that the master has removed and made again is removed first.
func (b *Broker) keep(intake *store.Intake) error {
	for {
		before := b.store.End()
		err := intake.Take()
		var anew *store.TopicAnewError
		switch {
		case errors.As(err, &anew):
			b.store.Kick()
			if err := b.store.Flush(); err != nil {
				return err
			}
			if err := b.store.DropTopic(anew.Topic); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		taken := b.store.End() > before
		b.store.Kick()
		switch {
		case b.store.End()-b.store.Durable() > unflushedMax:
			return b.store.Flush()
		case taken:
			return b.store.Health()
		}
		// Whether there is space again shows only when something is written.
		return b.store.Fenced()
	}
}

// report tells the master how much is durable here: at once when that changes, and now and then.
func (s *slave) report(conn env.Conn, ended *bool) {
	b := s.broker
	last := s.follower.Ask()
	if !s.send(conn, last) {
		return
	}
	for until := b.env.Clock.Now().Add(b.options.Replication.SignOfLife); !*ended && !s.closing; {
		at := last
		if s.connected {
			at = max(last, b.store.Durable())
		}
		if at == last && !until.Reached(b.env.Clock.Now()) {
			s.move.WaitUntil(until)
			continue
		}
		if !s.send(conn, at) {
			return
		}
		last, until = at, b.env.Clock.Now().Add(b.options.Replication.SignOfLife)
	}
}

func (s *slave) send(conn env.Conn, at message.LogOffset) bool {
	b := s.broker
	conn.SetWriteDeadline(b.env.Clock.Now().Add(b.options.Replication.SilenceMax))
	if err := conn.Write(replica.AppendClassicReport(nil, at)); err != nil {
		b.env.Log.Info("the master takes no reports", zap.Error(err))
		s.hangUp()
		return false
	}
	s.seen.reportedAt = b.env.Clock.Wall()
	return true
}

// slaveServes reports whether a slave answers a request: what reads, or is about connections and this process only. What consumers ask only if they may read here
// (slaveReadEnable): a slave knows offsets and ends of queues a little later than its master.
func slaveServes(code int32, reads bool) bool {
	switch code {
	case proto.ReqPullMessage, proto.ReqLitePullMessage, proto.ReqHeartbeat, proto.ReqUnregisterClient, proto.ReqGetConsumerListByGroup, proto.ReqCheckClientConfig,
		proto.ReqQueryMessage, proto.ReqViewMessageByID:
		return true
	case proto.ReqQueryConsumerOffset, proto.ReqGetMaxOffset, proto.ReqGetMinOffset, proto.ReqSearchOffsetByTimestamp, proto.ReqGetEarliestMessageStoreTime:
		return reads
	}
	return slaveShows(code)
}

// slaveShows is about what tools look at.
func slaveShows(code int32) bool {
	switch code {
	case proto.ReqNotifyBrokerRoleChanged, proto.ReqGetAllTopicConfig, proto.ReqGetAllSubscriptionGroupConfig, proto.ReqGetAllConsumerOffset, proto.ReqGetAllMessageRequestMode,
		proto.ReqGetBrokerRuntimeInfo, proto.ReqGetBrokerConfig, proto.ReqUpdateBrokerConfig, proto.ReqGetTopicStatsInfo, proto.ReqGetConsumeStats, proto.ReqGetConsumerConnectionList,
		proto.ReqGetProducerConnectionList, proto.ReqGetBrokerConsumeStats, proto.ReqQueryConsumeQueue, proto.ReqViewBrokerStatsData, proto.ReqQueryTopicConsumeByWho,
		proto.ReqGetBrokerHAStatus, proto.ReqGetBrokerEpochCache, proto.ReqDrainBroker, proto.ReqDeleteExpiredCommitLog, proto.ReqCleanExpiredConsumeQueue, proto.ReqCleanUnusedTopic:
		return true
	}
	return false
}

// offMaster answers a request that only a master serves, and reports whether it did. Accounts are each broker's own.
func (b *Broker) offMaster(in *transport.Incoming) bool {
	if b.slave == nil || slaveServes(in.Command.Code, b.options.SlaveRead) || guard.Serves(in.Command.Code) {
		return false
	}
	advice := "send it to the master"
	if slaveServes(in.Command.Code, true) {
		advice += ", or set slaveReadEnable=true here"
	}
	in.Reply().Error(proto.RespServiceNotAvailable, fmt.Sprintf("this broker is a slave of %s and does not serve request code %d (%s): %s", b.options.Name, in.Command.Code, proto.RequestName(in.Command.Code), advice))
	return true
}
