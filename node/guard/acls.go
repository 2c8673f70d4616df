package guard

import (
	"fmt"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// putACL handles AUTH_CREATE_ACL and AUTH_UPDATE_ACL, which do the same: entries of resources that are there are replaced, others are added.
func (g *Guard) putACL(in *transport.Incoming) {
	var h proto.AuthACL
	_ = h.DecodeFields(in.Command.Fields)
	info, err := proto.UnmarshalACLInfo(in.Command.Body)
	if err != nil {
		in.Reply().Error(proto.RespInvalidParameter, err.Error())
		return
	}
	if len(info.Policies) == 0 {
		in.Reply().Error(proto.RespSystemError, "policies: there is none")
		return
	}
	if info.Subject == "" {
		info.Subject = h.Subject
	}
	g.changeUsers(in, func(a *access.Accounts) (*access.Accounts, error) {
		acl, err := access.ParseACL(info)
		if err != nil {
			return nil, err
		}
		return a.WithACL(acl)
	})
}

// deleteACL handles AUTH_DELETE_ACL.
func (g *Guard) deleteACL(in *transport.Incoming) {
	var h proto.AuthDeleteACL
	_ = h.DecodeFields(in.Command.Fields)
	g.changeUsers(in, func(a *access.Accounts) (*access.Accounts, error) {
		user, err := access.ParseSubject(h.Subject)
		if err != nil {
			return nil, err
		}
		return a.WithoutACL(user, h.PolicyType, h.Resource)
	})
}

// getACL handles AUTH_GET_ACL. The answer about a user without an ACL has no body.
func (g *Guard) getACL(in *transport.Incoming) {
	var h proto.AuthACL
	_ = h.DecodeFields(in.Command.Fields)
	user, err := access.ParseSubject(h.Subject)
	if err != nil {
		in.Reply().Error(proto.RespInvalidParameter, err.Error())
		return
	}
	if _, found := g.rules.Accounts.User(user); !found {
		in.Reply().Error(proto.RespNoPermission, fmt.Sprintf("%v: %s", access.ErrNoUser, user))
		return
	}
	acl := g.rules.Accounts.ACL(user)
	if acl == nil {
		in.Reply().Success(nil)
		return
	}
	info := acl.Info()
	in.Reply().Success(info.Marshal())
}

// listACLs handles AUTH_LIST_ACL.
func (g *Guard) listACLs(in *transport.Incoming) {
	var h proto.AuthListACL
	_ = h.DecodeFields(in.Command.Fields)
	var infos []proto.ACLInfo
	for _, acl := range g.rules.Accounts.ACLs(h.SubjectFilter, h.ResourceFilter) {
		infos = append(infos, acl.Info())
	}
	if len(infos) == 0 {
		in.Reply().Success(nil)
		return
	}
	in.Reply().Success(proto.MarshalACLs(infos))
}
