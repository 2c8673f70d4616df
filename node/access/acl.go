package access

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
)

// ACL is what a user may do (class Acl). No two entries of one list have the same resource, so their order says nothing. It is never
// changed: With and Without return another one.
type ACL struct {
	User            string
	Custom, Default []Entry // Default is looked at only if no entry of Custom matches
}

// entriesMax bounds the entries of one user.
const entriesMax = 10_000

// ParseACL reads an ACL as requests have it. Errors name the field that is wrong.
func ParseACL(info *proto.ACLInfo) (*ACL, error) {
	user, err := ParseSubject(info.Subject)
	if err != nil {
		return nil, err
	}
	a := &ACL{User: user}
	for _, policy := range info.Policies {
		list, err := a.list(policy.Type)
		if err != nil {
			return nil, err
		}
		for _, each := range policy.Entries {
			entry, err := ParseEntry(each)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(*list, entry.sameResource) {
				return nil, fmt.Errorf("resource %s is named twice in one policy: give it one entry", entry.Resource)
			}
			*list = append(*list, entry)
		}
	}
	if len(a.Custom)+len(a.Default) == 0 {
		return nil, errors.New("policies: there is no entry")
	}
	return a, a.checkSize()
}

func (a *ACL) checkSize() error {
	if n := len(a.Custom) + len(a.Default); n > entriesMax {
		return fmt.Errorf("policies: %d entries, at most %d are possible: use prefixes", n, entriesMax)
	}
	return nil
}

// ParseSubject reads "User:name".
func ParseSubject(text string) (user string, err error) {
	kind, name, found := strings.Cut(strings.TrimSpace(text), ":")
	if !found || !strings.EqualFold(kind+":", proto.SubjectUser) || name == "" {
		return "", fmt.Errorf("subject %q: write %sname", text, proto.SubjectUser)
	}
	return name, nil
}

func (e *Entry) sameResource(other Entry) bool { return e.Resource == other.Resource }

// list finds the entries of a policy.
func (a *ACL) list(policy string) (*[]Entry, error) {
	switch {
	case policy == "" || strings.EqualFold(policy, proto.PolicyCustom):
		return &a.Custom, nil
	case strings.EqualFold(policy, proto.PolicyDefault):
		return &a.Default, nil
	}
	return nil, fmt.Errorf("policyType: %q is neither %s nor %s", policy, proto.PolicyCustom, proto.PolicyDefault)
}

// String names the user.
func (a *ACL) String() string {
	return fmt.Sprintf("ACL of %s%s, %d entries", proto.SubjectUser, a.User, len(a.Custom)+len(a.Default))
}

// Info is the ACL as answers have it.
func (a *ACL) Info() proto.ACLInfo {
	info := proto.ACLInfo{Subject: proto.SubjectUser + a.User}
	for _, policy := range []struct {
		name    string
		entries []Entry
	}{{proto.PolicyCustom, a.Custom}, {proto.PolicyDefault, a.Default}} {
		if len(policy.entries) == 0 {
			continue
		}
		p := proto.PolicyInfo{Type: policy.name}
		for i := range policy.entries {
			p.Entries = append(p.Entries, policy.entries[i].Info())
		}
		info.Policies = append(info.Policies, p)
	}
	return info
}

// With replaces the entries that another ACL has for the same resources, and adds its others (createAcl and updateAcl).
func (a *ACL) With(changes *ACL) (*ACL, error) {
	next := &ACL{User: a.User, Custom: merged(a.Custom, changes.Custom), Default: merged(a.Default, changes.Default)}
	return next, next.checkSize()
}

func merged(entries, changes []Entry) []Entry {
	next := slices.Clone(entries)
	for _, change := range changes {
		if i := slices.IndexFunc(next, change.sameResource); i >= 0 {
			next[i] = change
		} else {
			next = append(next, change)
		}
	}
	return next
}

// Without leaves out the entry of a resource. It is nil if nothing is left.
func (a *ACL) Without(policy string, resource Resource) (*ACL, error) {
	next := &ACL{User: a.User, Custom: slices.Clone(a.Custom), Default: slices.Clone(a.Default)}
	list, err := next.list(policy)
	if err != nil {
		return nil, err
	}
	*list = slices.DeleteFunc(*list, func(e Entry) bool { return e.Resource == resource })
	if len(next.Custom)+len(next.Default) == 0 {
		return nil, nil
	}
	return next, nil
}

// decide finds the entry that decides about a need, and in which policy; nil if none matches, and then it is denied.
func (a *ACL) decide(need Need, source netip.Addr) (*Entry, string) {
	if entry := strongest(a.Custom, need, source); entry != nil {
		return entry, proto.PolicyCustom
	}
	return strongest(a.Default, need, source), proto.PolicyDefault
}

// strongest is the matching entry whose resource says most. Should two say the same, a denial wins.
func strongest(entries []Entry, need Need, source netip.Addr) *Entry {
	var best *Entry
	for i := range entries {
		e := &entries[i]
		if !e.matches(need, source) {
			continue
		}
		if best == nil {
			best = e
			continue
		}
		if order := compareResources(e.Resource, best.Resource); order < 0 || order == 0 && e.Deny {
			best = e
		}
	}
	return best
}
