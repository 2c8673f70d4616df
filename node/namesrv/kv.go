package namesrv

import (
	"fmt"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// putKV serves ReqPutKVConfig. Its answer means that the value is durable, here: other name servers
// know nothing of it.
func (s *Server) putKV(in *transport.Incoming) answer {
	var header proto.PutKVConfig
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	if header.Namespace == wipedNamespace {
		return refuse(proto.RespNoPermission, errOwnNamespace)
	}
	if err := s.kv.put(header.Namespace, header.Key, header.Value); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	return answer{}
}

// getKV serves ReqGetKVConfig.
func (s *Server) getKV(in *transport.Incoming) answer {
	var header proto.GetKVConfig
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	value, found := s.kv.get(header.Namespace, header.Key)
	if !found {
		return refuse(proto.RespQueryNotFound, fmt.Errorf("no value for namespace %.300q, key %.300q", header.Namespace, header.Key))
	}
	return succeedWith(&proto.GetKVConfigResponse{Value: value}, nil)
}

// deleteKV serves ReqDeleteKVConfig. A value that is not there is deleted already.
func (s *Server) deleteKV(in *transport.Incoming) answer {
	var header proto.DeleteKVConfig
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	if header.Namespace == wipedNamespace {
		return refuse(proto.RespNoPermission, errOwnNamespace)
	}
	if err := s.kv.delete(header.Namespace, header.Key); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	return answer{}
}

// listKV serves ReqGetKVListByNamespace: a KVTable.
func (s *Server) listKV(in *transport.Incoming) answer {
	var header proto.GetKVListByNamespace
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	entries := s.kv.entries(header.Namespace)
	if entries == nil {
		return refuse(proto.RespQueryNotFound, fmt.Errorf("no values in namespace %.300q", header.Namespace))
	}
	table := proto.KVTable{Table: entries}
	return succeed(table.Marshal())
}
