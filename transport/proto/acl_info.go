package proto

import (
	"encoding/json"
	"fmt"
)

// Words of ACLInfo.
const (
	PolicyCustom  = "Custom"  // looked at first
	PolicyDefault = "Default" // looked at if no custom entry matches
	DecisionAllow = "Allow"
	DecisionDeny  = "Deny"
	// SubjectUser begins the subject of every ACL.
	SubjectUser = "User:"
)

// ACLInfo is what a subject may do (class AclInfo, since 5.3): the body of ReqAuthCreateACL and ReqAuthUpdateACL, and of the answer to
// ReqAuthGetACL.
type ACLInfo struct {
	Subject  string // subject: "User:name"
	Policies []PolicyInfo
}

// PolicyInfo is one of the policies of a subject (class AclInfo.PolicyInfo).
type PolicyInfo struct {
	Type    string // policyType: PolicyCustom or PolicyDefault, in any case; "" is Custom
	Entries []PolicyEntryInfo
}

// PolicyEntryInfo allows or denies something (class AclInfo.PolicyEntryInfo).
type PolicyEntryInfo struct {
	Resource string   // resource: "Topic:orders", "Group:bill*", "Cluster:*", "*"
	Actions  []string // actions: "Pub", "Sub", "Create", "Update", "Delete", "Get", "List", "All"
	Sources  []string // sourceIps: addresses, or ranges as 10.0.0.0/8; none is everywhere
	Decision string   // decision: DecisionAllow or DecisionDeny, in any case
}

// String names the subject.
func (a ACLInfo) String() string {
	return fmt.Sprintf("ACL of %s, %d policies", a.Subject, len(a.Policies))
}

// Marshal writes the body.
func (a *ACLInfo) Marshal() []byte {
	var w writer
	w.acl(a)
	return w.text
}

func (w *writer) acl(a *ACLInfo) {
	w.open('{')
	w.key("policies")
	w.open('[')
	for i := range a.Policies {
		w.policy(&a.Policies[i])
	}
	w.close(']')
	w.textMember("subject", a.Subject)
	w.close('}')
}

func (w *writer) policy(p *PolicyInfo) {
	w.open('{')
	w.key("entries")
	w.open('[')
	for i := range p.Entries {
		e := &p.Entries[i]
		w.open('{')
		w.stringsMember("actions", e.Actions)
		w.textMember("decision", e.Decision)
		w.textMember("resource", e.Resource)
		if len(e.Sources) > 0 {
			w.stringsMember("sourceIps", e.Sources)
		}
		w.close('}')
	}
	w.close(']')
	w.textMember("policyType", p.Type)
	w.close('}')
}

// UnmarshalJSON reads strict JSON.
func (a *ACLInfo) UnmarshalJSON(text []byte) error {
	var in struct {
		Subject  looseString `json:"subject"`
		Policies []struct {
			PolicyType looseString `json:"policyType"`
			Entries    []struct {
				Resource  looseString `json:"resource"`
				Actions   []string    `json:"actions"`
				SourceIPs []string    `json:"sourceIps"`
				Decision  looseString `json:"decision"`
			} `json:"entries"`
		} `json:"policies"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*a = ACLInfo{Subject: string(in.Subject)}
	for _, p := range in.Policies {
		policy := PolicyInfo{Type: string(p.PolicyType)}
		for _, e := range p.Entries {
			policy.Entries = append(policy.Entries, PolicyEntryInfo{
				Resource: string(e.Resource), Actions: e.Actions, Sources: e.SourceIPs, Decision: string(e.Decision),
			})
		}
		a.Policies = append(a.Policies, policy)
	}
	return nil
}

// UnmarshalACLInfo reads the body. The error is ErrBody.
func UnmarshalACLInfo(body []byte) (*ACLInfo, error) {
	a := new(ACLInfo)
	if err := unmarshal("AclInfo", body, a); err != nil {
		return nil, err
	}
	return a, nil
}

// MarshalACLs writes the body of the answer to ReqAuthListACL.
func MarshalACLs(acls []ACLInfo) []byte {
	var w writer
	w.open('[')
	for i := range acls {
		w.acl(&acls[i])
	}
	w.close(']')
	return w.text
}

// UnmarshalACLs reads what MarshalACLs writes; no body is an empty list. The error is ErrBody.
func UnmarshalACLs(body []byte) ([]ACLInfo, error) {
	if len(body) == 0 {
		return nil, nil
	}
	var acls []ACLInfo
	if err := unmarshal("list of AclInfo", body, &acls); err != nil {
		return nil, err
	}
	return acls, nil
}
