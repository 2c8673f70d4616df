package broker

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/replica"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"go.uber.org/zap"
)

// errNoController: none of the controllers leads, or can be reached.
var errNoController = errors.New("no controller leads")

// ask sends a request to the controller that leads.
func (m *Member) ask(request *transport.Request) (*wire.Command, error) {
	var errs []error
	for _, address := range m.inOrder() {
		response, err := m.controllers.Call(nil, address, request, m.membership.AskTimeout)
		var refused *transport.ResponseError
		switch {
		case err == nil:
			m.leader = address
			return response, nil
		case errors.As(err, &refused) && refused.Code != proto.RespControllerNotLeader:
			m.leader = address
			return response, err
		}
		errs = append(errs, err)
		if m.closing {
			break
		}
	}
	m.leader = ""
	return nil, fmt.Errorf("%w: %w", errNoController, errors.Join(errs...))
}

// inOrder are the controllers, the one that led last first.
func (m *Member) inOrder() []string {
	list := slices.Clone(m.membership.Controllers)
	slices.SortStableFunc(list, func(a, b string) int {
		switch m.leader {
		case a:
			return -1
		case b:
			return 1
		}
		return 0
	})
	return list
}

// beatLoop keeps the controllers informed, and hears what they have decided.
func (m *Member) beatLoop() {
	for complained := ""; !m.closing; {
		began := m.env.Clock.Now()
		text := ""
		m.lookForSpace()
		m.unheard = m.beat()
		if err := m.unheard; err != nil && !m.closing {
			if text = err.Error(); text != complained {
				m.env.Log.Warn("the controllers do not answer as they should; they are asked again and again", zap.Error(err))
			}
		}
		complained = text
		m.beatNow.WaitUntil(began.Add(m.membership.BeatEvery))
	}
}

// beat applies for an id, or registers, or sends a heartbeat: what is next.
func (m *Member) beat() error {
	m.note()
	if err := m.startOver(); err != nil {
		return err
	}
	switch {
	case m.trouble != nil:
		return nil // nobody should elect it
	case m.identity.id == 0 || m.identity.code != "":
		return m.applyForID()
	case !m.registered:
		return m.register()
	}
	return m.heartbeat()
}

// startOver begins anew when the store was fenced, or could not be opened for a role: as a process that was started again would, but for the process. The
// controllers take it for another start, so another broker becomes master if there is one. What is on the disk is read, and what was not durable is written
// again.
func (m *Member) startOver() error {
	b, now := m.broker, m.env.Clock.Now()
	switch {
	case b != nil && b.store != nil && b.store.Fenced() != nil && now >= m.overAgain:
		m.env.Log.Error("the log of this broker is fenced: it gives its role up, and reads its disk again", zap.Error(b.store.Fenced()))
		m.overAgain = now.Add(startOverEvery)
		m.whole = m.whole && !m.starts.async
		m.writtenOff = b
	case m.trouble != nil && m.registered && m.wanted.master:
		if _, err := m.makeRoom(); err != nil {
			m.env.Log.Info("nobody takes the place of this master, which cannot serve", zap.Error(err))
		}
	case m.trouble != nil && m.registered && !m.whole:
		// The controllers do not know yet.
	default:
		return nil
	}
	if err := m.countStart(m.starts.count); err != nil {
		return err
	}
	m.registered, m.wanted, m.reopen = false, assignment{epoch: m.wanted.epoch}, true
	m.act.Signal()
	return nil
}

// startOverEvery is the shortest pause between two attempts to use a disk again.
const startOverEvery = 5 * time.Second

// applyForID gets an id of the group for this directory.
func (m *Member) applyForID() error {
	if m.identity.id == 0 {
		response, err := m.ask(&transport.Request{Code: proto.ReqControllerGetNextBrokerID, Header: &proto.GetNextBrokerID{ClusterName: m.options.Cluster, BrokerName: m.options.Name}})
		if err != nil {
			return err
		}
		var next proto.GetNextBrokerIDResponse
		if err := next.DecodeFields(response.Fields); err != nil {
			return err
		}
		identity := identityFile{id: next.NextBrokerID, code: fmt.Sprintf("%s;%d", m.given, m.starts.count)}
		if err := m.saveIdentity(identity); err != nil {
			return err
		}
		m.identity = identity
	}
	_, err := m.ask(&transport.Request{Code: proto.ReqControllerApplyBrokerID, Header: &proto.ApplyBrokerID{
		ClusterName: m.options.Cluster, BrokerName: m.options.Name, BrokerID: m.identity.id, CheckCode: m.identity.code,
	}})
	var refused *transport.ResponseError
	if errors.As(err, &refused) && refused.Code == proto.RespControllerBrokerIDInvalid {
		m.identity = identityFile{}
		return err
	}
	if err != nil {
		return err
	}
	identity := identityFile{id: m.identity.id}
	if err := m.saveIdentity(identity); err != nil {
		return err
	}
	m.identity = identity
	m.env.Log.Info("this broker has an id of its group", zap.Int64("id", identity.id))
	return m.register()
}

// register tells the controllers of this start, and what it has.
func (m *Member) register() error {
	told := m.whole
	response, err := m.ask(&transport.Request{Code: proto.ReqControllerRegisterBroker, Header: &proto.RegisterToController{
		ClusterName: m.options.Cluster, BrokerName: m.options.Name, BrokerID: m.identity.id, BrokerAddress: m.given.String(), HAAddress: m.haAddress(),
		Incarnation: proto.Some(m.starts.count), Whole: told, LastEpoch: int32(m.last.epoch), LogEnd: m.last.end,
		LiveForMillis: m.membership.DeadAfter.Milliseconds(),
	}})
	if err != nil {
		return err
	}
	var h proto.RegisterToControllerResponse
	if err := h.DecodeFields(response.Fields); err != nil {
		return err
	}
	m.registered = true
	if !told {
		// They know, and from now on it has what it acknowledges. What was lost while they were asked is told with another start.
		m.whole = true
	}
	return m.hear(&h.MasterInfo, response.Body)
}

// haAddress is where copies get the log of this broker when it is master. It is told before it is: then no port is open yet, and the settings say which
// one it will be.
func (m *Member) haAddress() string {
	if m.broker != nil && m.broker.copies.port != 0 {
		return m.broker.haAddress()
	}
	return settledHAAddress(m.options, m.given)
}

// settledHAAddress is where the replication port of a broker at an address will be, as far as its settings say. If any port will do, it is the one where
// Java brokers have theirs.
func settledHAAddress(o Options, given netip.AddrPort) string {
	ip, port := given.Addr(), given.Port()+1
	if o.Replication.AdvertisedIP.IsValid() {
		ip = o.Replication.AdvertisedIP
	}
	listen := o.Replication.Listen
	if number, err := strconv.ParseUint(listen[strings.LastIndexByte(listen, ':')+1:], 10, 16); err == nil && number != 0 {
		port = uint16(number)
	}
	return netip.AddrPortFrom(ip, port).String()
}

// heartbeat tells the controllers that this broker lives, and how far it is.
func (m *Member) heartbeat() error {
	sent := m.env.Clock.Now()
	m.sentAt = max(m.sentAt+1, int64(sent))
	sentAt := m.sentAt
	header := &proto.BrokerHeartbeat{
		ClusterName: m.options.Cluster, BrokerAddress: m.given.String(), BrokerName: m.options.Name, BrokerID: proto.Some(m.identity.id),
		Epoch: proto.Some(int32(m.last.epoch)), MaxOffset: proto.Some(m.last.end), ConfirmOffset: proto.Some(m.last.confirmed),
		LiveForMillis: proto.Some(m.membership.DeadAfter.Milliseconds()), Incarnation: proto.Some(m.starts.count), SentAt: sentAt,
		Drained: m.drained,
	}
	if m.membership.Priority > 0 {
		header.ElectionPriority = proto.Some(m.membership.Priority)
	}
	response, err := m.ask(&transport.Request{Code: proto.ReqBrokerHeartbeat, Header: header})
	var refused *transport.ResponseError
	if errors.As(err, &refused) && refused.Code == proto.RespControllerBrokerNeedToBeRegistered {
		m.registered = false
	}
	if err != nil {
		return err
	}
	var h proto.BrokerHeartbeatResponse
	if err := h.DecodeFields(response.Fields); err != nil {
		return err
	}
	if err := m.hear(&h.MasterInfo, response.Body); err != nil {
		return err
	}
	if m.role.master && int32(m.role.epoch) == h.Epoch && h.LiveForMillis > 0 && sentAt >= m.discard && m.broker != nil {
		// Clocks differ a little in how fast they go.
		lease := time.Duration(h.LiveForMillis) * time.Millisecond
		m.broker.Prove(sent.Add(lease - lease/10))
	}
	return nil
}

// hear takes what the controllers have decided. Older news than those that are known do not count.
func (m *Member) hear(info *proto.MasterInfo, body []byte) error {
	set, err := proto.UnmarshalSyncStateSet(body)
	if err != nil {
		return err
	}
	epoch := replica.Epoch(info.Epoch)
	if epoch < m.wanted.epoch {
		return nil
	}
	m.inSync, m.heardAt = setOfIDs(set.BrokerIDs), m.env.Clock.Now()
	next := assignment{epoch: epoch}
	switch {
	case !info.BrokerID.Set && !m.wanted.master:
		// Until there is another master this copy may go on with the one that it has.
		return nil
	case !info.BrokerID.Set:
	case info.BrokerID.Value == m.identity.id:
		next.master = true
		m.electedSet, m.electedSetEpoch = setOfIDs(set.BrokerIDs), info.SetEpoch
	default:
		next.masterHA = info.HAAddress
	}
	if next.epoch == m.wanted.epoch && m.wanted.master && !next.master {
		// This start is master no more, and nobody else is yet.
		m.env.Log.Warn("the controllers have no master for an epoch of this broker", zap.Int32("epoch", info.Epoch))
	}
	if next != m.wanted {
		m.wanted = next
		m.act.Signal()
	}
	if m.role.master && m.role.epoch == epoch && m.broker != nil {
		m.broker.Decided(setOfIDs(set.BrokerIDs), info.SetEpoch)
	}
	return nil
}

func setOfIDs(ids []int64) replica.Set {
	var list []replica.BrokerID
	for _, id := range ids {
		list = append(list, replica.BrokerID(id))
	}
	return replica.NewSet(list...)
}

// changeSet asks in the name of the master of an epoch for another in-sync set (CONTROLLER_ALTER_SYNC_STATE_SET).
func (m *Member) changeSet(master replica.Epoch, want replica.Set, setEpoch int32, confirmed int64, copies []replica.Copy) (replica.Set, int32, error) {
	header := &proto.AlterSyncStateSet{BrokerName: m.options.Name, MasterID: m.identity.id, MasterEpoch: int32(master), Confirmed: proto.Some(confirmed)}
	body := &proto.SyncStateSet{Epoch: setEpoch}
	for _, id := range want {
		body.BrokerIDs = append(body.BrokerIDs, int64(id))
	}
	for _, c := range copies {
		if want.Has(c.ID) && c.Connected {
			header.Incarnations = append(header.Incarnations, proto.MemberIncarnation{BrokerID: int64(c.ID), Incarnation: c.Incarnation})
		}
	}
	response, err := m.ask(&transport.Request{Code: proto.ReqControllerAlterSyncStateSet, Header: header, Body: body.Marshal()})
	if err != nil {
		m.beatNow.Signal() // its answer tells what the controllers have
		return nil, 0, err
	}
	set, err := proto.UnmarshalSyncStateSet(response.Body)
	if err != nil {
		return nil, 0, err
	}
	return setOfIDs(set.BrokerIDs), set.Epoch, nil
}

// handOver lets a master make room for another one before it stops: what it has is confirmed, and then somebody else is elected, who is returned. Who does
// not serve as master has nothing to hand over: then there is neither an election nor an error.
func (m *Member) handOver() (*proto.MasterInfo, error) {
	b := m.broker
	if !m.role.master || b == nil || !b.ready || m.handing {
		return nil, nil
	}
	m.handing = true
	deadline := m.env.Clock.Now().Add(m.membership.HandOverTime)
	b.leaving = true
	for b.store.Confirmed() < b.store.End() && !deadline.Reached(m.env.Clock.Now()) {
		b.store.Kick()
		m.env.Tasks.Sleep(drainStep)
	}
	b.Disown()
	return m.makeRoom()
}

// makeRoom has another broker elected in place of this master, which does nothing as master any more.
func (m *Member) makeRoom() (*proto.MasterInfo, error) {
	// From now on no lease counts: the controllers need not wait until it is over.
	m.sentAt = max(m.sentAt+1, int64(m.env.Clock.Now()))
	m.discard = m.sentAt
	response, err := m.ask(&transport.Request{Code: proto.ReqControllerElectMaster, Header: &proto.ElectMaster{
		ClusterName: m.options.Cluster, BrokerName: m.options.Name, BrokerID: proto.NoBroker, InsteadOf: proto.Some(m.identity.id), SentAt: m.sentAt,
		Incarnation: proto.Some(m.starts.count),
	}})
	if err != nil {
		return nil, err
	}
	elected := &proto.MasterInfo{}
	return elected, elected.DecodeFields(response.Fields)
}
