package client

import (
	"context"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// Who may do what. Each server has accounts of its own: a change has to be made at every broker, and at every name server that checks signatures.
// Addresses below may be of either. Brokers before 5.3 do not know the requests about users and ACLs, later ones than 5.3.2 not those about
// accounts of ACL 1.0.

// What administration speaks of where rights are concerned.
type (
	// UserInfo is a user: who signs requests, and is super or not, enabled or not.
	UserInfo = proto.UserInfo
	// ACLInfo is what a user may do.
	ACLInfo = proto.ACLInfo
	// PlainAccount is an account of ACL 1.0.
	PlainAccount = proto.PlainAccount
	// PlainAccountChange is an account of ACL 1.0 as it is to be.
	PlainAccountChange = proto.UpdateAndCreateACLConfig
	// PlainVersion tells which version of the accounts of ACL 1.0 a broker has.
	PlainVersion = proto.ACLInfoResponse
)

// CreateUser makes a user. Type and Status may be empty: Normal and enable.
func (a *Admin) CreateUser(ctx context.Context, address string, user UserInfo) error {
	return a.putUser(ctx, address, proto.ReqAuthCreateUser, user)
}

// UpdateUser changes a user: what is empty stays as it is.
func (a *Admin) UpdateUser(ctx context.Context, address string, user UserInfo) error {
	return a.putUser(ctx, address, proto.ReqAuthUpdateUser, user)
}

func (a *Admin) putUser(ctx context.Context, address string, code int32, user UserInfo) error {
	request := &transport.Request{Code: code, Header: &proto.AuthUser{Username: user.Username}, Body: user.Marshal()}
	_, err := a.askBroker(ctx, address, request)
	return err
}

// DeleteUser removes a user and the user's ACL. That there is none is no error.
func (a *Admin) DeleteUser(ctx context.Context, address, name string) error {
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqAuthDeleteUser, Header: &proto.AuthUser{Username: name}})
	return err
}

// User reads a user; found is false if there is none. Brokers of ours tell the password to super users only, Java's to everybody who may ask.
func (a *Admin) User(ctx context.Context, address, name string) (user UserInfo, found bool, err error) {
	header := &proto.AuthUser{Username: name}
	info, err := bodyOf(ctx, a, address, proto.ReqAuthGetUser, header, orNone(proto.UnmarshalUserInfo))
	if err != nil || info == nil {
		return UserInfo{}, false, err
	}
	return *info, true, nil
}

// orNone reads an answer that may have no body: that is nil.
func orNone[T any](read func([]byte) (*T, error)) func([]byte) (*T, error) {
	return func(body []byte) (*T, error) {
		if len(body) == 0 {
			return nil, nil
		}
		return read(body)
	}
}

// Users lists the users whose names contain a text.
func (a *Admin) Users(ctx context.Context, address, filter string) ([]UserInfo, error) {
	return bodyOf(ctx, a, address, proto.ReqAuthListUser, &proto.AuthListUser{Filter: filter}, proto.UnmarshalUsers)
}

// CreateACL gives a user rights: entries of resources that the user has already are replaced, as by UpdateACL.
func (a *Admin) CreateACL(ctx context.Context, address string, acl ACLInfo) error {
	return a.putACL(ctx, address, proto.ReqAuthCreateACL, acl)
}

// UpdateACL changes the rights of a user: entries are replaced by their resources, and others are added.
func (a *Admin) UpdateACL(ctx context.Context, address string, acl ACLInfo) error {
	return a.putACL(ctx, address, proto.ReqAuthUpdateACL, acl)
}

func (a *Admin) putACL(ctx context.Context, address string, code int32, acl ACLInfo) error {
	_, err := a.askBroker(ctx, address, &transport.Request{Code: code, Header: &proto.AuthACL{Subject: acl.Subject}, Body: acl.Marshal()})
	return err
}

// DeleteACL takes the entry of a resource from a policy ("Custom" if it is empty), or with no resource all rights of a subject.
func (a *Admin) DeleteACL(ctx context.Context, address, subject, policy, resource string) error {
	header := &proto.AuthDeleteACL{Subject: subject, PolicyType: policy, Resource: resource}
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqAuthDeleteACL, Header: header})
	return err
}

// ACL reads the rights of a subject, "User:name"; found is false if it has none.
func (a *Admin) ACL(ctx context.Context, address, subject string) (acl ACLInfo, found bool, err error) {
	info, err := bodyOf(ctx, a, address, proto.ReqAuthGetACL, &proto.AuthACL{Subject: subject}, orNone(proto.UnmarshalACLInfo))
	if err != nil || info == nil {
		return ACLInfo{}, false, err
	}
	return *info, true, nil
}

// ACLs lists the rights of subjects that contain a text, as far as their resources contain another.
func (a *Admin) ACLs(ctx context.Context, address, subject, resource string) ([]ACLInfo, error) {
	header := &proto.AuthListACL{SubjectFilter: subject, ResourceFilter: resource}
	return bodyOf(ctx, a, address, proto.ReqAuthListACL, header, proto.UnmarshalACLs)
}

// UpdatePlainAccount makes or changes an account of ACL 1.0. What is empty stays as it is; Admin always counts.
func (a *Admin) UpdatePlainAccount(ctx context.Context, address string, account PlainAccountChange) error {
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqUpdateAndCreateACLConfig, Header: &account})
	return err
}

// DeletePlainAccount removes an account of ACL 1.0.
func (a *Admin) DeletePlainAccount(ctx context.Context, address, accessKey string) error {
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqDeleteACLConfig, Header: &proto.DeleteACLConfig{AccessKey: accessKey}})
	return err
}

// SetWhiteAddresses replaces the addresses from which ACL 1.0 lets everybody do everything. File is one that PlainAccountsVersion shows; "" is
// the usual one.
func (a *Admin) SetWhiteAddresses(ctx context.Context, address string, addresses []string, file string) error {
	header := &proto.UpdateGlobalWhiteAddressesConfig{Addresses: addresses, File: file}
	_, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqUpdateGlobalWhiteAddressesConfig, Header: header})
	return err
}

// PlainAccountsVersion tells which version of the accounts of ACL 1.0 a broker has.
func (a *Admin) PlainAccountsVersion(ctx context.Context, address string) (version PlainVersion, err error) {
	response, err := a.askBroker(ctx, address, &transport.Request{Code: proto.ReqGetBrokerClusterACLInfo})
	if err == nil {
		err = version.DecodeFields(response.Fields)
	}
	return version, err
}

// PlainAccounts lists the accounts of ACL 1.0, and the addresses from which everything is allowed. Brokers of ours leave out secrets.
func (a *Admin) PlainAccounts(ctx context.Context, address string) (accounts []PlainAccount, white []string, err error) {
	config, err := bodyOf(ctx, a, address, proto.ReqGetBrokerClusterACLConfig, nil, proto.UnmarshalACLConfig)
	if err != nil {
		return nil, nil, err
	}
	return config.Accounts, config.WhiteAddresses, nil
}
