package controller

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// answer is what a handler says. The zero answer means success and nothing more.
type answer struct {
	code   int32
	remark string
	header transport.FieldEncoder // or nil
	body   []byte
	// later is run by a task of its own, because it waits for other controllers or the disk, and its result is the answer. What it uses of the
	// request must have been copied.
	later func() answer
}

func succeed(body []byte) answer { return answer{body: body} }

func succeedWith(header transport.FieldEncoder, body []byte) answer {
	return answer{header: header, body: body}
}

func later(work func() answer) answer { return answer{later: work} }

// refuse answers with an explanation for the user.
func refuse(code int32, err error) answer { return answer{code: code, remark: err.Error()} }

// refuseAs answers with the code of a refusal.
func refuseAs(r *refusal) answer { return answer{code: r.code, remark: r.text} }

// inquiry is a request to who leads.
type inquiry struct {
	in    *transport.Incoming
	reign *reign
	now   env.Instant
}

// ofLeader are requests that only who leads can answer.
var ofLeader = map[int32]func(*Server, *inquiry) answer{
	proto.ReqBrokerHeartbeat:             (*Server).heartbeat,
	proto.ReqControllerGetNextBrokerID:   (*Server).getNextID,
	proto.ReqControllerApplyBrokerID:     (*Server).applyForID,
	proto.ReqControllerRegisterBroker:    (*Server).register,
	proto.ReqControllerAlterSyncStateSet: (*Server).alterSet,
	proto.ReqControllerElectMaster:       (*Server).electMaster,
	proto.ReqControllerGetReplicaInfo:    (*Server).getReplicaInfo,
	proto.ReqControllerGetSyncStateData:  (*Server).getSyncStateData,
	proto.ReqCleanBrokerData:             (*Server).cleanBrokerData,
}

// ofAll are requests that every controller answers for itself.
var ofAll = map[int32]func(*Server, *transport.Incoming) answer{
	proto.ReqControllerGetMetadataInfo: (*Server).getMetadata,
	proto.ReqGetControllerConfig:       (*Server).getConfig,
	proto.ReqUpdateControllerConfig:    (*Server).updateConfig,
	proto.ReqRaftMessage:               (*Server).raftMessage,
}

// serve answers one request.
func (s *Server) serve(in *transport.Incoming) {
	reply := in.Reply()
	s.counts.Requests++
	if !s.guard.Admit(in) {
		s.counts.Failures++
		return
	}
	a, known := s.handle(in)
	switch {
	case !known && s.guard.Serve(in):
	case !known:
		s.counts.Unsupported++
		reply.Error(proto.RespRequestCodeNotSupported, fmt.Sprintf(
			"request code %d (%s) is not served by a controller", in.Command.Code, proto.RequestName(in.Command.Code)))
	case a.later != nil:
		s.tasks.Go("answer "+proto.RequestName(in.Command.Code), func() { s.answer(reply, a.later()) })
	default:
		s.answer(reply, a)
	}
}

func (s *Server) answer(reply transport.Reply, a answer) {
	if a.code != proto.RespSuccess {
		s.counts.Failures++
	}
	reply.SendFields(a.code, a.remark, a.header, nil, a.body)
}

func (s *Server) handle(in *transport.Incoming) (answer, bool) {
	if handle := ofAll[in.Command.Code]; handle != nil {
		return handle(s, in), true
	}
	handle := ofLeader[in.Command.Code]
	if handle == nil {
		return answer{}, false
	}
	now := s.env.Clock.Now()
	reign := s.consensus.rule(now)
	if reign == nil {
		return s.notLeader(), true
	}
	return handle(s, &inquiry{in, reign, now}), true
}

// notLeader tells where to ask.
func (s *Server) notLeader() answer {
	const code = proto.RespControllerNotLeader
	switch leader := s.leader(); {
	case s.consensus.failure != nil:
		return refuse(code, errStopped)
	case leader == nil:
		return refuse(code, errors.New("no controller leads just now: ask again in a second"))
	default:
		return refuse(code, fmt.Errorf("%s at %s leads: ask there", leader.ID, leader.Address))
	}
}

// fields reads the header of a request.
func fields(q *inquiry, header proto.HeaderDecoder) *refusal {
	if err := header.DecodeFields(q.in.Command.Fields); err != nil {
		return refused(proto.RespControllerInvalidRequest, "%s", err.Error())
	}
	return nil
}

// change proposes a command and answers with what it made of the group.
func (s *Server) change(cmd *command, show func(g *group) answer) answer {
	r, g, err := s.consensus.propose(cmd, s.env.Clock.Now().Add(s.options.RequestTimeout))
	return s.changed(r, g, err, show)
}

// changed turns the outcome of a proposal into an answer. Who hears that this controller does not lead asks another one, which may find that
// the change was made: every request says what it is based on, or may be sent twice.
func (s *Server) changed(r *refusal, g *group, err error, show func(g *group) answer) answer {
	switch {
	case errors.Is(err, errTooMany):
		return refuse(proto.RespSystemBusy, err)
	case errors.Is(err, errNotLeader):
		return s.notLeader()
	case err != nil:
		return refuse(proto.RespControllerNotLeader, err)
	case r != nil:
		return refuseAs(r)
	}
	return show(g)
}

// raftMessage serves ReqRaftMessage.
func (s *Server) raftMessage(in *transport.Incoming) answer {
	var header proto.RaftMessage
	err := header.DecodeFields(in.Command.Fields)
	if err == nil {
		err = s.consensus.receive(&header, in.Command.Body)
	}
	if err != nil {
		s.counts.BadMessages++
		if s.refusedLast[header.From] != err.Error() && len(s.refusedLast) <= len(s.options.Peers) {
			s.refusedLast[header.From] = err.Error()
			s.env.Log.Warn("messages of another controller are refused", zap.String("from", header.From), zap.Error(err))
		}
		return refuse(proto.RespSystemError, err)
	}
	return answer{}
}

// denied answers who may not act for a group.
func denied(err error) answer {
	if errors.Is(err, guard.ErrDenied) {
		return refuse(proto.RespNoPermission, err)
	}
	return refuse(proto.RespSystemError, err)
}
