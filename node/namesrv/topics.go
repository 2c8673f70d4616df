package namesrv

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// errDisabled: its text is what official tools know.
var errDisabled = errors.New("disable: this list is switched off by enableAllTopicList or enableTopicList")

// listTopics serves ReqGetAllTopicListFromNameServer.
func (s *Server) listTopics(*transport.Incoming) answer {
	if s.settings.NoAllTopicList {
		return refuse(proto.RespSystemError, errDisabled)
	}
	return list(s.table.topicNames())
}

// listTopicsOfCluster serves ReqGetTopicsByCluster. An unknown cluster has no topics.
func (s *Server) listTopicsOfCluster(in *transport.Incoming) answer {
	if s.settings.NoTopicLists {
		return refuse(proto.RespSystemError, errDisabled)
	}
	var header proto.GetTopicsByCluster
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	return list(s.table.topicsOfCluster(header.Cluster))
}

// listSystemTopics serves ReqGetSystemTopicListFromNameServer.
func (s *Server) listSystemTopics(*transport.Incoming) answer {
	topics := s.table.systemTopics()
	return succeed(topics.Marshal())
}

// listUnitTopics serves ReqGetUnitTopicList.
func (s *Server) listUnitTopics(*transport.Incoming) answer {
	return s.listByFlags(func(f proto.TopicSysFlag) bool { return f.Has(proto.TopicUnit) })
}

// listUnitSubscriptionTopics serves ReqGetHasUnitSubscriptionTopicList.
func (s *Server) listUnitSubscriptionTopics(*transport.Incoming) answer {
	return s.listByFlags(func(f proto.TopicSysFlag) bool { return f.Has(proto.TopicUnitSubscription) })
}

// listUnitSubscriptionNonUnitTopics serves ReqGetHasUnitSubscriptionNonUnitTopicList.
func (s *Server) listUnitSubscriptionNonUnitTopics(*transport.Incoming) answer {
	return s.listByFlags(func(f proto.TopicSysFlag) bool {
		return f.Has(proto.TopicUnitSubscription) && !f.Has(proto.TopicUnit)
	})
}

func (s *Server) listByFlags(wanted func(proto.TopicSysFlag) bool) answer {
	if s.settings.NoTopicLists {
		return refuse(proto.RespSystemError, errDisabled)
	}
	return list(s.table.topicsByFlags(wanted))
}

func list(topics []string) answer {
	l := proto.TopicList{Topics: topics}
	return succeed(l.Marshal())
}

// deleteTopic serves ReqDeleteTopicInNameServer. A topic that is not there is deleted already.
func (s *Server) deleteTopic(in *transport.Incoming) answer {
	var header proto.DeleteTopicInNameServer
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	s.table.deleteTopic(header.Topic, header.ClusterName)
	return answer{}
}

// registerTopic serves ReqRegisterTopicInNameServer: a broker has made one topic. The queues of all broker
// names in the body are taken, or none.
func (s *Server) registerTopic(in *transport.Incoming) answer {
	var header proto.RegisterTopicInNameServer
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	route, err := proto.UnmarshalRoute(in.Command.Body)
	if err == nil {
		err = s.table.registerTopic(header.Topic, route.Queues)
	}
	if err != nil {
		return refuse(proto.RespSystemError, fmt.Errorf("register topic %.300q: %w", header.Topic, err))
	}
	return answer{}
}
