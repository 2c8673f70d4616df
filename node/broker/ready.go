package broker

import (
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// A master whose copies must confirm what it acknowledges does not know, when it starts, what of its log they have. Until they have all of it nobody is
// served: consumers may have seen more than it could show, a send may come again that is there already, and what is derived from the log would miss its end.

// takeUp reads what speaks of messages in the log. From then on the broker is ready.
func (b *Broker) takeUp() error {
	if err := b.withinQueues(); err != nil {
		return err
	}
	if err := b.pops.load(); err != nil {
		return err
	}
	if err := b.pops.takeOver(); err != nil {
		return err
	}
	b.repeats.start()
	b.ready = true
	return nil
}

// startServices starts what is done with messages in the log.
func (b *Broker) startServices() {
	b.delays.start()
	b.timers.start()
	b.transactions.start()
	b.pops.start()
	b.tasks.Go("save offsets", b.offsets.saveLoop)
}

// leaveOff ends what takeUp and load have begun. What was not read whole is not saved.
func (b *Broker) leaveOff() error {
	if !b.ready {
		return b.offsets.abandon()
	}
	return errors.Join(b.repeats.close(), b.offsets.close())
}

// lookForCopies is how often a master looks whether its copies have confirmed its log.
const lookForCopies = 20 * time.Millisecond

// awaitCopies makes the broker ready as soon as copies have all that was in the log at its start.
func (b *Broker) awaitCopies() {
	end := b.store.End()
	for b.store.Confirmed() < end || b.copies.leader != nil && !b.copies.leader.Ready() {
		b.pauseFor(lookForCopies)
		if b.closing {
			return
		}
	}
	if err := b.takeUp(); err != nil {
		b.failed = err
		b.env.Log.Error("the broker does not serve; start it again when that is put right", zap.Error(err))
		return
	}
	b.startServices()
	b.env.Log.Info("copies have all of the log: messages are served", zap.Stringer("store", b.store))
}

// unproven answers a request that only somebody may answer who is master for certain, and reports whether it did. Messages that are confirmed can be read from a
// master whose lease is over, and what is sent to it waits for copies, which follow one master only; but it does not know what was committed since.
func (b *Broker) unproven(in *transport.Incoming) bool {
	code := in.Command.Code
	if b.proven() || takesMessages(code) || isSend(code) || code == proto.ReqHeartbeat || code == proto.ReqUnregisterClient || code == proto.ReqCopyTables ||
		code == proto.ReqNotifyBrokerRoleChanged || slaveShows(code) {
		return false
	}
	in.Reply().Error(proto.RespSystemBusy, errUnproven.Error())
	return true
}

// errUnproven: the controllers do not answer.
var errUnproven = errors.New("this master has not heard from the controllers for so long that another one may have been elected: ask again, or look at the controllers")

// proven reports whether nobody else of the group can be master just now.
func (b *Broker) proven() bool {
	return b.copies.leader == nil || b.copies.leader.Proven(b.env.Clock.Now())
}

// isSend reports whether a request sends messages.
func isSend(code int32) bool {
	return code == proto.ReqSendMessage || code == proto.ReqSendMessageV2 || code == proto.ReqSendBatchMessage
}

// notReady answers a request that a master cannot serve yet, and reports whether it did.
func (b *Broker) notReady(in *transport.Incoming) bool {
	code := in.Command.Code
	if b.ready || b.slave != nil || code == proto.ReqHeartbeat || code == proto.ReqUnregisterClient || code == proto.ReqCopyTables || code == proto.ReqNotifyBrokerRoleChanged || slaveShows(code) {
		return false
	}
	in.Reply().Error(proto.RespServiceNotAvailable, b.whyNotReady())
	return true
}

// whyNotReady says what a master waits for that does not serve yet, or why it never will.
func (b *Broker) whyNotReady() string {
	if b.failed != nil {
		return fmt.Sprintf("this broker cannot serve: %v", b.failed)
	}
	return "this master waits until enough copies have its log: start the slaves of its group, or send to another broker"
}
