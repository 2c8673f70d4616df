package guard

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// handlers serve the requests about accounts.
var handlers = map[int32]func(*Guard, *transport.Incoming){
	proto.ReqAuthCreateUser: (*Guard).createUser,
	proto.ReqAuthUpdateUser: (*Guard).updateUser,
	proto.ReqAuthDeleteUser: (*Guard).deleteUser,
	proto.ReqAuthGetUser:    (*Guard).getUser,
	proto.ReqAuthListUser:   (*Guard).listUsers,

	proto.ReqAuthCreateACL: (*Guard).putACL,
	proto.ReqAuthUpdateACL: (*Guard).putACL,
	proto.ReqAuthDeleteACL: (*Guard).deleteACL,
	proto.ReqAuthGetACL:    (*Guard).getACL,
	proto.ReqAuthListACL:   (*Guard).listACLs,

	proto.ReqUpdateAndCreateACLConfig:         (*Guard).updatePlain,
	proto.ReqDeleteACLConfig:                  (*Guard).deletePlain,
	proto.ReqUpdateGlobalWhiteAddressesConfig: (*Guard).updateWhiteAddresses,
	proto.ReqGetBrokerClusterACLInfo:          (*Guard).plainVersion,
	proto.ReqGetBrokerClusterACLConfig:        (*Guard).plainConfig,
}

// Serve serves a request about accounts that Admit has let through, or reports that it is about something else. Changes wait for the
// disk; they are answered when they are durable.
//
// Answers to requests about users and rights: success; invalid parameter; no permission, also for what makes no sense, as Java's broker
// does; system error.
func (g *Guard) Serve(in *transport.Incoming) bool {
	handle := handlers[in.Command.Code]
	if handle == nil {
		return false
	}
	handle(g, in)
	return true
}

// Serves reports whether Serve answers requests of a code.
func Serves(code int32) bool { return handlers[code] != nil }

// answer tells the outcome of a change.
func answer(in *transport.Incoming, err error) {
	var refused *refusedChange
	switch {
	case err == nil:
		in.Reply().Success(nil)
	case errors.As(err, &refused):
		in.Reply().Error(proto.RespNoPermission, err.Error())
	default:
		in.Reply().Error(proto.RespSystemError, err.Error())
	}
}

// userName reads the header of requests about one user.
func userName(in *transport.Incoming) (string, bool) {
	var h proto.AuthUser
	// It has no field that could not be read.
	_ = h.DecodeFields(in.Command.Fields)
	if h.Username == "" {
		in.Reply().Error(proto.RespInvalidParameter, "username: it is blank")
		return "", false
	}
	return h.Username, true
}

// userInfo reads the body of requests that say how a user is to be.
func userInfo(in *transport.Incoming, name string) (*proto.UserInfo, bool) {
	info, err := proto.UnmarshalUserInfo(in.Command.Body)
	if err != nil {
		in.Reply().Error(proto.RespInvalidParameter, err.Error())
		return nil, false
	}
	info.Username = name
	return info, true
}

var errSuperOnly = errors.New("only super users may make, change and remove super users")

// createUser handles AUTH_CREATE_USER.
func (g *Guard) createUser(in *transport.Incoming) {
	name, ok := userName(in)
	if !ok {
		return
	}
	info, ok := userInfo(in, name)
	if !ok {
		return
	}
	super, _ := g.isSuper(in)
	g.changeUsers(in, func(a *access.Accounts) (*access.Accounts, error) {
		user, err := access.User{Name: name}.ApplyInfo(info)
		switch {
		case err != nil:
			return nil, err
		case user.Super && !super:
			return nil, errSuperOnly
		}
		return a.WithNewUser(user)
	})
}

// updateUser handles AUTH_UPDATE_USER.
func (g *Guard) updateUser(in *transport.Incoming) {
	name, ok := userName(in)
	if !ok {
		return
	}
	info, ok := userInfo(in, name)
	if !ok {
		return
	}
	super, _ := g.isSuper(in)
	g.changeUsers(in, func(a *access.Accounts) (*access.Accounts, error) {
		old, found := a.User(name)
		if !found {
			return nil, fmt.Errorf("%w: %s", access.ErrNoUser, name)
		}
		user, err := old.ApplyInfo(info)
		switch {
		case err != nil:
			return nil, err
		case (old.Super || user.Super) && !super:
			return nil, errSuperOnly
		}
		return a.WithUser(user)
	})
}

// deleteUser handles AUTH_DELETE_USER. That there is no such user is a success, as for Java's broker.
func (g *Guard) deleteUser(in *transport.Incoming) {
	name, ok := userName(in)
	if !ok {
		return
	}
	super, _ := g.isSuper(in)
	g.changeUsers(in, func(a *access.Accounts) (*access.Accounts, error) {
		if old, _ := a.User(name); old.Super && !super {
			return nil, errSuperOnly
		}
		return a.WithoutUser(name), nil
	})
}

func (g *Guard) changeUsers(in *transport.Incoming, change func(*access.Accounts) (*access.Accounts, error)) {
	var err error
	g.await(in, func() { err = g.changeAccounts(change) })
	answer(in, err)
}

// shown is a user as answers have it. Only super users see passwords, which they need to copy users from one broker to another; without
// access control nobody does.
func (g *Guard) shown(user access.User, passwords bool) proto.UserInfo {
	info := user.Info()
	if passwords {
		info.Password = user.Password
	}
	return info
}

// getUser handles AUTH_GET_USER. The answer about a user that is not there has no body.
func (g *Guard) getUser(in *transport.Incoming) {
	name, ok := userName(in)
	if !ok {
		return
	}
	user, found := g.rules.Accounts.User(name)
	if !found {
		in.Reply().Success(nil)
		return
	}
	_, passwords := g.isSuper(in)
	info := g.shown(user, passwords)
	in.Reply().Success(info.Marshal())
}

// listUsers handles AUTH_LIST_USER.
func (g *Guard) listUsers(in *transport.Incoming) {
	var h proto.AuthListUser
	_ = h.DecodeFields(in.Command.Fields)
	_, passwords := g.isSuper(in)
	var infos []proto.UserInfo
	for _, user := range g.rules.Accounts.Users(h.Filter) {
		infos = append(infos, g.shown(user, passwords))
	}
	if len(infos) == 0 {
		in.Reply().Success(nil)
		return
	}
	in.Reply().Success(proto.MarshalUsers(infos))
}
