package namesrv

import (
	"errors"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// An operator takes the write permission from a broker to empty it, and then stops it. The permission is taken until
// it is given back, or until the last broker of that name leaves in order; a new registration, a lost
// connection or a restart of this name server do not bring it back. What the
// broker itself registered stays untouched below.

// wipedNamespace is where the broker names are kept, as keys of the key-value config.
const wipedNamespace = "GANTRY_WIPED_WRITE_PERM"

var errOwnNamespace = errors.New("namespace " + wipedNamespace +
	" is kept by the name server: use WIPE_WRITE_PERM_OF_BROKER and ADD_WRITE_PERM_OF_BROKER (wipeWritePerm, addWritePerm)")

// loadWiped reads the names when the name server starts.
func (s *Server) loadWiped() {
	// order does not matter: one set is copied into another
	for name := range s.kv.entries(wipedNamespace) {
		s.table.wiped[name] = true
	}
}

// wipeWritePermission serves ReqWipeWritePermOfBroker. An unknown broker name has no topics to change.
func (s *Server) wipeWritePermission(in *transport.Incoming) answer {
	var header proto.WipeWritePermOfBroker
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	if s.table.groups[header.BrokerName] == nil {
		return succeedWith(&proto.WipeWritePermOfBrokerResponse{}, nil)
	}
	if err := s.kv.put(wipedNamespace, header.BrokerName, "wiped"); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	s.table.wiped[header.BrokerName] = true
	s.env.Log.Info("write permission wiped", zap.String("brokerName", header.BrokerName))
	return succeedWith(&proto.WipeWritePermOfBrokerResponse{Topics: int32(s.table.topicCount(header.BrokerName))}, nil)
}

// addWritePermission serves ReqAddWritePermOfBroker: each topic is again as permitted as its broker registered it.
func (s *Server) addWritePermission(in *transport.Incoming) answer {
	var header proto.AddWritePermOfBroker
	if err := header.DecodeFields(in.Command.Fields); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	if err := s.kv.delete(wipedNamespace, header.BrokerName); err != nil {
		return refuse(proto.RespSystemError, err)
	}
	delete(s.table.wiped, header.BrokerName)
	s.env.Log.Info("write permission added", zap.String("brokerName", header.BrokerName))
	return succeedWith(&proto.AddWritePermOfBrokerResponse{Topics: int32(s.table.topicCount(header.BrokerName))}, nil)
}

// forgetWiped makes durable that names need not be kept any more. The table has forgotten them already.
func (s *Server) forgetWiped(brokerNames []string) {
	for _, name := range brokerNames {
		if err := s.kv.delete(wipedNamespace, name); err != nil {
			s.env.Log.Warn("after a restart this broker name will lack the write permission until it is added",
				zap.String("brokerName", name), zap.Error(err))
		}
	}
}
