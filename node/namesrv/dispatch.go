package namesrv

import (
	"fmt"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// answer is what a handler says. The zero answer means success and nothing more.
type answer struct {
	code   int32
	remark string
	header transport.FieldEncoder // or nil
	body   []byte
}

func succeed(body []byte) answer { return answer{body: body} }

func succeedWith(header transport.FieldEncoder, body []byte) answer {
	return answer{header: header, body: body}
}

// refuse answers with an explanation for the user.
func refuse(code int32, err error) answer { return answer{code: code, remark: err.Error()} }

// handlers serve the requests of a name server by their codes. A handler runs in the reader task of the
// connection; it may wait, and then that connection reads no further.
var handlers = map[int32]func(*Server, *transport.Incoming) answer{
	proto.ReqRegisterBroker:            (*Server).registerBroker,
	proto.ReqUnregisterBroker:          (*Server).unregisterBroker,
	proto.ReqQueryDataVersion:          (*Server).queryDataVersion,
	proto.ReqBrokerHeartbeat:           (*Server).brokerHeartbeat,
	proto.ReqRegisterTopicInNameServer: (*Server).registerTopic,

	proto.ReqGetRouteInfoByTopic:  (*Server).getRoute,
	proto.ReqGetBrokerClusterInfo: (*Server).getClusterInfo,
	proto.ReqGetBrokerMemberGroup: (*Server).getMemberGroup,

	proto.ReqGetAllTopicListFromNameServer:          (*Server).listTopics,
	proto.ReqGetTopicsByCluster:                     (*Server).listTopicsOfCluster,
	proto.ReqGetSystemTopicListFromNameServer:       (*Server).listSystemTopics,
	proto.ReqGetUnitTopicList:                       (*Server).listUnitTopics,
	proto.ReqGetHasUnitSubscriptionTopicList:        (*Server).listUnitSubscriptionTopics,
	proto.ReqGetHasUnitSubscriptionNonUnitTopicList: (*Server).listUnitSubscriptionNonUnitTopics,
	proto.ReqDeleteTopicInNameServer:                (*Server).deleteTopic,

	proto.ReqPutKVConfig:          (*Server).putKV,
	proto.ReqGetKVConfig:          (*Server).getKV,
	proto.ReqDeleteKVConfig:       (*Server).deleteKV,
	proto.ReqGetKVListByNamespace: (*Server).listKV,

	proto.ReqWipeWritePermOfBroker:  (*Server).wipeWritePermission,
	proto.ReqAddWritePermOfBroker:   (*Server).addWritePermission,
	proto.ReqGetNameServerConfig:    (*Server).getConfig,
	proto.ReqUpdateNameServerConfig: (*Server).updateConfig,
}

// serve answers one request.
func (s *Server) serve(in *transport.Incoming) {
	reply := in.Reply()
	s.counts.Requests++
	if !s.guard.Admit(in) {
		s.counts.Failures++
		return
	}
	handle := handlers[in.Command.Code]
	if handle == nil && s.guard.Serve(in) {
		return
	}
	if handle == nil {
		s.counts.Unsupported++
		reply.Error(proto.RespRequestCodeNotSupported, fmt.Sprintf(
			"request code %d (%s) is not served by a name server", in.Command.Code, proto.RequestName(in.Command.Code)))
		return
	}
	a := handle(s, in)
	if a.code != proto.RespSuccess {
		s.counts.Failures++
	}
	reply.SendFields(a.code, a.remark, a.header, nil, a.body)
}
