package broker

import (
	"errors"
	"fmt"
	"math"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// drain handles GANTRY_DRAIN_BROKER: a broker whose role controllers decide hands over if it is master, and is elected only if nobody else can be, until
// it is started again or told that maintenance is over.
//
// Answers: success; invalid parameter; system error (configured roles, nobody who could take over).
func (b *Broker) drain(in *transport.Incoming) {
	var header proto.DrainBroker
	if !decode(in, &header) {
		return
	}
	if b.options.Election == nil {
		in.Reply().Error(proto.RespSystemError, fmt.Sprintf("the role of this broker is configured (brokerRole=%v), so nobody can take its place: take its write permission (wipeWritePerm) and wait until its messages are consumed", b.options.Role))
		return
	}
	b.await(in, func() {
		now, err := b.options.Election.Drain(!header.Over)
		if err != nil {
			in.Reply().Error(proto.RespSystemError, err.Error())
			return
		}
		in.Reply().SendFields(proto.RespSuccess, "", now, nil, nil)
	})
}

// epochCache handles GET_BROKER_EPOCH_CACHE: which master has written which part of the log.
//
// Answers: success; system error (configured roles).
func (b *Broker) epochCache(in *transport.Incoming) {
	e := b.options.Election
	if e == nil {
		in.Reply().Error(proto.RespSystemError, fmt.Sprintf("the role of this broker is configured (brokerRole=%v): epochs are those of elected masters", b.options.Role))
		return
	}
	cache := proto.EpochCache{Cluster: b.options.Cluster, BrokerName: b.options.Name, BrokerID: int64(e.ID), LogEnd: int64(b.store.Written())}
	eras := b.epochs.Eras()
	for i, era := range eras {
		end := int64(math.MaxInt64)
		if i+1 < len(eras) {
			end = int64(eras[i+1].Start)
		}
		cache.Epochs = append(cache.Epochs, proto.Epoch{Number: int32(era.Epoch), Start: int64(era.Start), End: end})
	}
	in.Reply().Success(cache.Marshal())
}

// Drain lets others be elected rather than this broker, or no more. A master hands over first: it takes no more messages, copies have what it has, and
// another one is elected. It returns who is master then, as far as it is known; the error says why nobody could take over, and then nothing has changed.
func (m *Member) Drain(on bool) (*proto.MasterInfo, error) {
	if !on || !m.role.master && !m.wanted.master {
		m.drained = on
		m.beatNow.Signal()
		return m.masterNow(), nil
	}
	elected, err := m.giveWay()
	if err == nil && elected == nil {
		return nil, errors.New("this broker is master and does not serve yet, or hands over already: try again in a few seconds")
	}
	m.drained = err == nil
	if err != nil {
		return nil, fmt.Errorf("this broker stays master, because nobody can take its place: %w", err)
	}
	return elected, nil
}

// giveWay is handOver for a master that does not stop: if nobody can take its place it goes on.
func (m *Member) giveWay() (*proto.MasterInfo, error) {
	elected, err := m.handOver()
	if err == nil && elected == nil {
		return nil, nil
	}
	m.handing = false
	m.beatNow.Signal()
	if err != nil {
		// The next heartbeat brings a lease again.
		if b := m.broker; b != nil {
			b.leaving = false
		}
		return nil, err
	}
	return elected, nil
}

// masterNow says what is known of the master.
func (m *Member) masterNow() *proto.MasterInfo {
	now := &proto.MasterInfo{Epoch: int32(m.wanted.epoch), HAAddress: m.wanted.masterHA}
	if m.wanted.master {
		now.BrokerID, now.Address = proto.Some(m.identity.id), m.given.String()
	}
	return now
}
