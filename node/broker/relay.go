package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
)

// Questions that tools have for clients. The broker asks, over the connection by which the client has sent its heartbeats, and hands the answer
// back when it comes. Nobody waits for it: the tool's connection, which may be the client's own, goes on meanwhile.

const (
	askMemberFor  = 10 * time.Second // one member
	askMembersFor = 5 * time.Second  // all members
)

// runningInfo handles GET_CONSUMER_RUNNING_INFO: what a consumer says of itself.
//
// Answers: what the client answers; system error, if it is not online or too old; consume message timeout.
func (b *Broker) runningInfo(in *transport.Incoming) {
	var h proto.GetConsumerRunningInfo
	if !decode(in, &h) {
		return
	}
	b.askMember(in, h.ConsumerGroup, h.ClientID, &transport.Request{Code: proto.ReqGetConsumerRunningInfo, Header: &h})
}

// consumeDirectly handles CONSUME_MESSAGE_DIRECTLY: a consumer consumes one message of the store now, whatever its offset is. Without
// a client id any member will do. It waits for the disk, but not for the client.
//
// Answers: those of runningInfo; system error, if there is no such message; message illegal, if it waits to be delivered; no permission.
func (b *Broker) consumeDirectly(in *transport.Incoming) {
	var h proto.ConsumeMessageDirectly
	if !decode(in, &h) {
		return
	}
	request := &transport.Request{Code: proto.ReqConsumeMessageDirectly, Header: &h, Body: in.Command.Body}
	h.BrokerName = b.options.Name
	if group := b.groups.byName[h.ConsumerGroup]; group != nil {
		h.GroupSysFlags = proto.Some(group.SysFlags)
	}
	if topic := b.topics.byName[h.Topic]; topic != nil {
		h.TopicSysFlags = proto.Some(int32(topic.SysFlags))
	}
	id, err := message.ParseOffsetID(h.OffsetID)
	if err != nil {
		in.Reply().Error(proto.RespInvalidParameter, fmt.Sprintf("msgId: %v", err))
		return
	}
	if request.Body = b.consumable(in, id.LogOffset); request.Body != nil {
		b.askMember(in, h.ConsumerGroup, h.ClientID, request)
	}
}

// consumable reads a message that is named by its place in the log. If who asks may not consume it, or nobody may yet, the request is answered and there is
// none: it may be of another topic than the request says. It waits for the disk.
func (b *Broker) consumable(in *transport.Incoming, at message.LogOffset) []byte {
	var raw []byte
	var r message.Record
	var err error
	b.await(in, func() { raw, err = b.store.RecordBytes(at) })
	if err == nil {
		_, err = message.DecodeRecord(raw, &r, false)
	}
	switch {
	case err != nil:
		in.Reply().Error(proto.RespSystemError, fmt.Sprintf("msgId: there is no message at %d: %v", at, err))
	case proto.IsWaitingTopic(string(r.Topic)):
		in.Reply().Error(proto.RespMessageIllegal, fmt.Sprintf("msgId: the message at %d waits in %s, where nobody consumes it", at, r.Topic))
	case b.mayConsume(in, &r):
		return raw
	}
	return nil
}

// askMember hands a request on to a member, or to any without a name.
func (b *Broker) askMember(in *transport.Incoming, group, clientID string, request *transport.Request) {
	m := b.clients.named(group, clientID)
	if m == nil {
		in.Reply().Error(proto.RespSystemError, fmt.Sprintf("the consumer <%s> <%s> is not online", group, clientID))
		return
	}
	if m.version < wire.V3_1_8_SNAPSHOT {
		in.Reply().Error(proto.RespSystemError, fmt.Sprintf("the consumer <%s> <%s> is of version %s, which cannot answer: it must be V3_1_8_SNAPSHOT or later",
			group, m.clientID, wire.VersionName(m.version)))
		return
	}
	handBack := &relay{in.Reply(), group, m.clientID}
	if err := m.conn.Start(request, b.env.Clock.Now().Add(askMemberFor), handBack); err != nil {
		handBack.Complete(nil, err)
	}
}

// named finds a member of a group by its client id, or the first one without.
func (t *clientTable) named(group, clientID string) *member {
	g := t.consumers[group]
	if g == nil {
		return nil
	}
	for _, m := range g.members {
		if clientID == "" || m.clientID == clientID {
			return m
		}
	}
	return nil
}

// relay hands an answer back.
type relay struct {
	reply           transport.Reply
	group, clientID string
}

// Complete answers the tool.
func (r *relay) Complete(response *wire.Command, err error) {
	switch {
	case err == nil:
		r.reply.SendFields(response.Code, response.Remark, nil, nil, response.Body)
	case errors.Is(err, transport.ErrTimeout):
		r.reply.Error(proto.RespConsumeMessageTimeout, fmt.Sprintf("the consumer <%s> <%s> did not answer within %v", r.group, r.clientID, askMemberFor))
	default:
		r.reply.Error(proto.RespSystemError, fmt.Sprintf("the consumer <%s> <%s> could not be asked: %v", r.group, r.clientID, err))
	}
}

// consumerStatus handles INVOKE_BROKER_TO_GET_CONSUMER_STATUS: how far the members of a group are by their own accounts. Those that cannot
// answer are left out, and named in the remark.
//
// Answers: success; system error, if nobody is online or can answer; consume message timeout, if nobody answers.
func (b *Broker) consumerStatus(in *transport.Incoming) {
	var h proto.GetConsumerStatus
	if !decode(in, &h) {
		return
	}
	members := b.clients.at(h.Group, h.ClientAddress)
	if len(members) == 0 {
		in.Reply().Error(proto.RespSystemError, fmt.Sprintf("no consumer of the group[%s] is online", h.Group))
		return
	}
	survey := &survey{reply: in.Reply(), left: len(members)}
	request := &transport.Request{Code: proto.ReqGetConsumerStatusFromClient, Header: &h}
	deadline := b.env.Clock.Now().Add(askMembersFor)
	for _, m := range members {
		question := &question{survey, m.clientID}
		if m.version < wire.V3_0_7_SNAPSHOT {
			question.Complete(nil, fmt.Errorf("it is of version %s: it must be V3_0_7_SNAPSHOT or later", wire.VersionName(m.version)))
		} else if err := m.conn.Start(request, deadline, question); err != nil {
			question.Complete(nil, err)
		}
	}
}

// at lists the members of a group, or those that a client id or an address names. The list is the caller's.
func (t *clientTable) at(group, name string) (list []*member) {
	g := t.consumers[group]
	if g == nil {
		return nil
	}
	for _, m := range g.members {
		remote := m.conn.Remote()
		wanted := name == "" || name == m.clientID || name == remote.String() || name == remote.Addr().String()
		// A client with two connections is one member.
		if wanted && !slices.ContainsFunc(list, func(other *member) bool { return other.clientID == m.clientID }) {
			list = append(list, m)
		}
	}
	return list
}

// survey gathers the answers of several members.
type survey struct {
	reply   transport.Reply
	left    int // members whose answers are to come
	status  proto.ConsumerStatus
	silent  []string // why others have not answered
	timeout bool     // one of them is only slow
}

// question is what one member of a survey is asked.
type question struct {
	survey   *survey
	clientID string
}

// Complete takes the member's answer. The last one answers the tool.
func (q *question) Complete(response *wire.Command, err error) {
	s := q.survey
	var status *proto.ConsumerStatus
	if err == nil {
		status, err = statusOf(response)
	}
	if err != nil {
		s.timeout = s.timeout || errors.Is(err, transport.ErrTimeout)
		s.silent = append(s.silent, fmt.Sprintf("the client %s has not answered: %v", q.clientID, err))
	} else {
		s.status.Members = append(s.status.Members, proto.MemberStatus{ClientID: q.clientID, Queues: status.Queues})
	}
	if s.left--; s.left == 0 {
		s.answer()
	}
}

func statusOf(response *wire.Command) (*proto.ConsumerStatus, error) {
	if response.Code != proto.RespSuccess {
		return nil, fmt.Errorf("%s: %s", proto.ResponseName(response.Code), response.Remark)
	}
	return proto.UnmarshalConsumerStatus(response.Body)
}

func (s *survey) answer() {
	remark := strings.Join(s.silent, "; ")
	switch {
	case len(s.status.Members) > 0:
		s.reply.SendFields(proto.RespSuccess, remark, nil, nil, s.status.Marshal())
	case s.timeout:
		s.reply.Error(proto.RespConsumeMessageTimeout, remark)
	default:
		s.reply.Error(proto.RespSystemError, remark)
	}
}
