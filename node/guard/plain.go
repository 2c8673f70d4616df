package guard

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

var errPlainOff = errors.New("this node has no accounts of ACL 1.0: set aclEnable=true, or use createUser and createAcl")

// changeAccountsOf changes a file of ACL 1.0 and answers; code is that of a failure.
func (g *Guard) changeAccountsOf(in *transport.Incoming, code int32, choose func(plainState) bool, change func(access.PlainFile) (access.PlainFile, error)) {
	err := errPlainOff
	if g.options.Plain {
		g.await(in, func() { err = g.changePlain(choose, change) })
	}
	if err != nil {
		in.Reply().Error(code, err.Error())
		return
	}
	in.Reply().Success(nil)
}

// updatePlain handles UPDATE_AND_CREATE_ACL_CONFIG.
func (g *Guard) updatePlain(in *transport.Incoming) {
	var h proto.UpdateAndCreateACLConfig
	if err := h.DecodeFields(in.Command.Fields); err != nil {
		in.Reply().Error(proto.RespUpdateACLConfigFailed, err.Error())
		return
	}
	has := func(s plainState) bool { return s.file.Has(h.AccessKey) }
	g.changeAccountsOf(in, proto.RespUpdateACLConfigFailed, has, func(file access.PlainFile) (access.PlainFile, error) { return file.With(&h) })
}

// deletePlain handles DELETE_ACL_CONFIG.
func (g *Guard) deletePlain(in *transport.Incoming) {
	var h proto.DeleteACLConfig
	if err := h.DecodeFields(in.Command.Fields); err != nil {
		in.Reply().Error(proto.RespDeleteACLConfigFailed, err.Error())
		return
	}
	has := func(s plainState) bool { return s.file.Has(h.AccessKey) }
	g.changeAccountsOf(in, proto.RespDeleteACLConfigFailed, has, func(file access.PlainFile) (access.PlainFile, error) {
		if !file.Has(h.AccessKey) {
			return file, fmt.Errorf("there is no account %s", h.AccessKey)
		}
		return file.Without(h.AccessKey), nil
	})
}

// updateWhiteAddresses handles UPDATE_GLOBAL_WHITE_ADDRS_CONFIG. Files are those that are there, by the paths that clusterAclConfigVersion
// shows: nobody makes this node write elsewhere.
func (g *Guard) updateWhiteAddresses(in *transport.Incoming) {
	var h proto.UpdateGlobalWhiteAddressesConfig
	if err := h.DecodeFields(in.Command.Fields); err != nil {
		in.Reply().Error(proto.RespUpdateGlobalWhiteAddressesConfigFailed, err.Error())
		return
	}
	named := func(s plainState) bool { return s.path == h.File }
	g.changeAccountsOf(in, proto.RespUpdateGlobalWhiteAddressesConfigFailed, named, func(file access.PlainFile) (access.PlainFile, error) {
		if h.File != "" && h.File != g.place.path(plainFile) && !g.hasPlain(h.File) {
			return file, fmt.Errorf("aclFileFullPath %q: it is none of the files that clusterAclConfigVersion shows", h.File)
		}
		return file.WithWhiteAddresses(h.Addresses)
	})
}

func (g *Guard) hasPlain(path string) bool {
	for _, state := range g.plain {
		if state.path == path {
			return true
		}
	}
	return false
}

// plainVersion handles GET_BROKER_CLUSTER_ACL_INFO.
func (g *Guard) plainVersion(in *transport.Incoming) {
	if !g.options.Plain {
		in.Reply().Error(proto.RespSystemError, errPlainOff.Error())
		return
	}
	h := proto.ACLInfoResponse{BrokerName: g.place.Name, ClusterName: g.place.Cluster, Files: map[string]proto.DataVersion{}}
	if g.place.Address != nil {
		h.BrokerAddress = g.place.Address()
	}
	for _, state := range g.plain {
		h.Files[state.path] = state.file.Version
		if state.path == g.place.path(plainFile) {
			h.Version = state.file.Version
		}
	}
	in.Reply().Send(proto.RespSuccess, &h, nil)
}

// plainConfig handles GET_BROKER_CLUSTER_ACL_CONFIG. Secrets are left out.
func (g *Guard) plainConfig(in *transport.Incoming) {
	if !g.options.Plain {
		in.Reply().Error(proto.RespSystemError, errPlainOff.Error())
		return
	}
	all := proto.ACLConfig{}
	for _, state := range g.plain {
		all.WhiteAddresses = append(all.WhiteAddresses, state.file.WhiteAddresses...)
		for _, account := range state.file.Accounts {
			account.SecretKey = ""
			all.Accounts = append(all.Accounts, account)
		}
	}
	in.Reply().Success(all.Marshal())
}
