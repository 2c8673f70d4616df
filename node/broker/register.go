package broker

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"go.uber.org/zap"
)

// registrar tells the name servers what this broker offers: at start, on each change, and now and then. Name
// servers do not know of each other, so each has a task of its own and none waits for another.
type registrar struct {
	broker *Broker
	wake   env.Cond
	edits  uint64 // changes of the topic table so far
	tried  int    // name servers that were tried at least once
	known  env.Cond
	done   *env.Group
	// master and masterHA are where the master of this broker's group takes requests and sends its log, as the last name server said that knew it.
	master, masterHA string
	// registered tells of each name server whether it took the last registration that it was sent.
	registered map[string]bool
}

func newRegistrar(b *Broker) *registrar {
	return &registrar{broker: b, wake: b.env.Tasks.NewCond(), known: b.env.Tasks.NewCond(), done: env.NewGroup(b.env.Tasks), registered: map[string]bool{}}
}

// firstTryWithin is how long a start waits for the name servers. A broker whose start has returned can usually be found.
const firstTryWithin = time.Second

// start registers with all name servers and waits a little for their first answers. A broker whose role controllers decide does not wait: the group
// stands still until it has its role.
func (r *registrar) start() {
	servers := r.broker.options.NameServers
	for _, address := range servers {
		r.done.Go("register with "+address, func() { r.loop(address) })
	}
	if r.broker.options.Election != nil {
		return
	}
	deadline := r.broker.env.Clock.Now().Add(firstTryWithin)
	for r.tried < len(servers) && r.known.WaitUntil(deadline) {
	}
}

// changed makes all name servers hear of a change soon.
func (r *registrar) changed() {
	r.edits++
	r.wake.Broadcast()
}

// retryFirst and retryMax bound the pause after a name server did not answer.
const (
	retryFirst = 500 * time.Millisecond
	retryMax   = 10 * time.Second
)

func (r *registrar) loop(address string) {
	b := r.broker
	retry := retryFirst
	for first := true; !b.closing; first = false {
		told := r.edits
		err := r.register(address)
		r.registered[address] = err == nil
		if first {
			r.tried++
			r.known.Broadcast()
		}
		pause := b.options.RegisterEvery
		switch {
		case err != nil:
			b.env.Log.Warn("a name server did not take the registration; it will be tried again", zap.String("name server", address), zap.Error(err))
			pause, retry = retry, min(2*retry, retryMax)
		default:
			retry = retryFirst
		}
		deadline := b.env.Clock.Now().Add(pause)
		for !b.closing && (told == r.edits || err != nil) && r.wake.WaitUntil(deadline) {
		}
	}
}

// register sends the whole topic table (REGISTER_BROKER).
func (r *registrar) register(address string) error {
	b := r.broker
	body := proto.RegisterBrokerBody{Table: r.offered()}
	if e := b.options.Election; e != nil {
		// Name servers believe the master of the newest epoch.
		body.Table.Version.StateVersion = int64(e.Epoch)
	}
	content := body.Marshal()
	response, err := b.outgoing.Call(nil, address, &transport.Request{
		Code: proto.ReqRegisterBroker,
		Header: &proto.RegisterBroker{
			BrokerName: b.options.Name, BrokerAddress: b.address.String(), ClusterName: b.options.Cluster,
			HAAddress: b.haAddress(),
			BrokerID:  b.options.ID, BodyChecksum: proto.BodyChecksum(content),
		},
		Body: content,
	}, b.options.RegisterTimeout)
	if err != nil {
		return err
	}
	r.learnMaster(response.Fields)
	return r.order(response.Body)
}

// learnMaster notes where the master of this broker's group is. A name server that knows none says nothing.
func (r *registrar) learnMaster(fields wire.Fields) {
	var header proto.RegisterBrokerResponse
	if r.broker.slave == nil || header.DecodeFields(fields) != nil || header.MasterAddress == "" {
		return
	}
	r.master, r.masterHA = header.MasterAddress, header.HAAddress
}

// haAddress is where slaves get the log of a master. Without a replication port it is the address where Java brokers have theirs.
func (b *Broker) haAddress() string {
	if own := b.copies.address(); own != "" {
		return own
	}
	return netip.AddrPortFrom(b.address.Addr(), b.address.Port()+1).String()
}

// order makes topics ordered that the name server's order config lists ("ORDER_TOPIC_CONFIG", updateOrderTopicConfig). One that is listed no more
// stays as it is: a tool may have made it ordered.
func (r *registrar) order(body []byte) error {
	if len(body) == 0 || r.broker.slave != nil {
		return nil // topics of a slave are those of its master
	}
	config, err := proto.UnmarshalKVTable(body)
	if err != nil {
		return err
	}
	topics := r.broker.topics
	for _, name := range sortedNames(config.Table) {
		if topic := topics.byName[name]; topic == nil || topic.Ordered {
			continue
		}
		err = errors.Join(err, topics.update(name, func(old *proto.TopicConfig) (proto.TopicConfig, error) {
			if old == nil {
				return proto.TopicConfig{}, fmt.Errorf("topic %s, which the order config lists, was deleted meanwhile", name)
			}
			topic := old.Clone()
			topic.Ordered = true
			return topic, nil
		}))
	}
	return err
}

// offered is the table with the broker's own permission applied.
func (r *registrar) offered() proto.TopicTable {
	table := r.broker.topics.table()
	for i := range table.Topics {
		t := &table.Topics[i]
		t.Perm &= r.broker.options.Perm | proto.PermInherit
	}
	return table
}

// stop ends the registrations.
func (r *registrar) stop() {
	r.wake.Broadcast()
	r.broker.outgoing.Close()
	r.done.Wait()
}

// leave takes this broker out of the routes (UNREGISTER_BROKER). A name server that does not answer
// finds out by itself.
func (r *registrar) leave() {
	r.wake.Broadcast()
	r.done.Wait()
	b := r.broker
	for _, address := range b.options.NameServers {
		r.done.Go("leave "+address, func() {
			_, err := b.outgoing.Call(nil, address, &transport.Request{
				Code: proto.ReqUnregisterBroker,
				Header: &proto.UnregisterBroker{
					BrokerName: b.options.Name, BrokerAddress: b.address.String(), ClusterName: b.options.Cluster, BrokerID: b.options.ID,
				},
			}, leaveTimeout)
			if err != nil {
				b.env.Log.Info("a name server could not be told that this broker leaves", zap.String("name server", address), zap.Error(err))
			}
		})
	}
	r.done.Wait()
}

const leaveTimeout = time.Second
