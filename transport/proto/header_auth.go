package proto

import "github.com/gantrymq/gantry/transport/wire"

// The requests by which tools change users and their rights (since 5.3). They have bodies beside: UserInfo and ACLInfo.

// AuthUser is the header of ReqAuthCreateUser, ReqAuthUpdateUser, ReqAuthDeleteUser and ReqAuthGetUser (class CreateUserRequestHeader and
// its like).
type AuthUser struct {
	Username string // username; receivers check that it is not empty
}

// EncodeFields writes the header.
func (h *AuthUser) EncodeFields(e *wire.Encoder) { encodeText(e, "username", h.Username) }

// DecodeFields reads the header.
func (h *AuthUser) DecodeFields(f wire.Fields) error {
	*h = AuthUser{Username: f.String("username")}
	return nil
}

// AuthListUser is the header of ReqAuthListUser (class ListUsersRequestHeader).
type AuthListUser struct {
	Filter string // filter: part of the names that are wanted; "" for all
}

// EncodeFields writes the header.
func (h *AuthListUser) EncodeFields(e *wire.Encoder) { encodeText(e, "filter", h.Filter) }

// DecodeFields reads the header.
func (h *AuthListUser) DecodeFields(f wire.Fields) error {
	*h = AuthListUser{Filter: f.String("filter")}
	return nil
}

// AuthACL is the header of ReqAuthCreateACL, ReqAuthUpdateACL and ReqAuthGetACL (class CreateAclRequestHeader and its like).
type AuthACL struct {
	Subject string // subject: "User:name"
}

// EncodeFields writes the header.
func (h *AuthACL) EncodeFields(e *wire.Encoder) { encodeText(e, "subject", h.Subject) }

// DecodeFields reads the header.
func (h *AuthACL) DecodeFields(f wire.Fields) error {
	*h = AuthACL{Subject: f.String("subject")}
	return nil
}

// AuthDeleteACL is the header of ReqAuthDeleteACL (class DeleteAclRequestHeader).
type AuthDeleteACL struct {
	Subject    string // subject: "User:name"
	PolicyType string // policyType: "Custom" or "Default"; "" is Custom
	Resource   string // resource: the one whose entry goes; "" for all rights of the subject
}

// EncodeFields writes the header.
func (h *AuthDeleteACL) EncodeFields(e *wire.Encoder) {
	encodeText(e, "subject", h.Subject)
	encodeText(e, "policyType", h.PolicyType)
	encodeText(e, "resource", h.Resource)
}

// DecodeFields reads the header.
func (h *AuthDeleteACL) DecodeFields(f wire.Fields) error {
	*h = AuthDeleteACL{Subject: f.String("subject"), PolicyType: f.String("policyType"), Resource: f.String("resource")}
	return nil
}

// AuthListACL is the header of ReqAuthListACL (class ListAclsRequestHeader).
type AuthListACL struct {
	SubjectFilter  string // subjectFilter: part of the subjects that are wanted
	ResourceFilter string // resourceFilter: part of the resources that are wanted
}

// EncodeFields writes the header.
func (h *AuthListACL) EncodeFields(e *wire.Encoder) {
	encodeText(e, "subjectFilter", h.SubjectFilter)
	encodeText(e, "resourceFilter", h.ResourceFilter)
}

// DecodeFields reads the header.
func (h *AuthListACL) DecodeFields(f wire.Fields) error {
	*h = AuthListACL{SubjectFilter: f.String("subjectFilter"), ResourceFilter: f.String("resourceFilter")}
	return nil
}
