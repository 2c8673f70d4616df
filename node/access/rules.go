package access

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/transport/signature"
	"github.com/gantrymq/gantry/transport/wire"
)

// Rules are all that decisions depend on. They are never changed once they decide, so they may decide in several places at once.
type Rules struct {
	// Authentication (authenticationEnabled) wants every request signed by a user. ExemptFromAuthentication are codes that need not be
	// (authenticationWhitelist).
	Authentication           bool
	ExemptFromAuthentication map[int32]bool
	// Authorization (authorizationEnabled) looks at what users may do. It needs Authentication. ExemptFromAuthorization are codes that every
	// user may send (authorizationWhitelist).
	Authorization           bool
	ExemptFromAuthorization map[int32]bool
	// Cluster is the name of the cluster that this server belongs to.
	Cluster  string
	Accounts *Accounts
	// Plain decides instead of all the above, if it is set (aclEnable).
	Plain *Plain
}

// ParseCodes reads a list of request codes, joined by commas; nil for none.
func ParseCodes(text string) (map[int32]bool, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	codes := map[int32]bool{}
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		code, err := strconv.ParseInt(word, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is not the number of a request code", word)
		}
		codes[int32(code)] = true
	}
	return codes, nil
}

// Open reports whether everybody may do everything.
func (r *Rules) Open() bool { return r.Plain == nil && !r.Authentication }

// Decide says whether a request from an address may be carried out. It takes as long as the HMAC of the request's body.
func (r *Rules) Decide(command *wire.Command, source netip.Addr) Decision {
	d := r.begin(command.Code, source)
	switch {
	case r.Plain != nil:
		return r.Plain.decide(r, d, command)
	case !r.Authentication:
		return d.allow("access control is off")
	}
	user, reason := r.authenticate(command)
	if user == nil && !r.ExemptFromAuthentication[command.Code] {
		d.Account = nameOf(command)
		return d.deny(reason)
	}
	if user != nil {
		d.Account, d.Super = "User:"+user.Name, user.Super
	}
	return r.authorize(d, user, command)
}

func (r *Rules) begin(code int32, source netip.Addr) Decision {
	return Decision{code: code, source: source.Unmap(), Change: demands[code].class == classChange}
}

// nameOf is who a request says has sent it, with a sign that it was not proven.
func nameOf(command *wire.Command) string {
	name := command.Fields.String(signature.FieldAccessKey)
	if name == "" {
		return ""
	}
	return fmt.Sprintf("somebody who says to be %q", shortened(name))
}

// shortened bounds what strangers can make this server write into its log.
func shortened(name string) string {
	if len(name) > nameMax {
		return name[:nameMax] + "…"
	}
	return name
}

// Reasons of denials.
const (
	reasonUnsigned  = "the request is not signed, and this server takes signed ones only (authenticationEnabled)"
	reasonNoUser    = "there is no such user"
	reasonDisabled  = "the user is disabled"
	reasonSignature = "the signature is wrong: the secret is another, or the request was changed on its way"
	reasonNoACL     = "no ACL allows it: no matched policies"
)

// authenticate finds the user who has signed a request. Without one it says why.
func (r *Rules) authenticate(command *wire.Command) (*User, string) {
	key, given := command.Fields.Get(signature.FieldAccessKey)
	if !given || len(key) == 0 {
		return nil, reasonUnsigned
	}
	user, found := r.Accounts.User(string(key))
	switch {
	case !found:
		return nil, reasonNoUser
	case user.Disabled:
		return nil, reasonDisabled
	case !signature.Verify(command.Fields, command.Body, command.Version, user.Password):
		return nil, reasonSignature
	}
	return &user, ""
}

func (r *Rules) authorize(d Decision, user *User, command *wire.Command) Decision {
	switch {
	case !r.Authorization && user == nil, r.ExemptFromAuthorization[command.Code] && user == nil:
		return d.allow("authenticationWhitelist")
	case !r.Authorization:
		return d.allow("authorizationEnabled=false: every user may do everything")
	case r.ExemptFromAuthorization[command.Code]:
		return d.allow("authorizationWhitelist")
	case user == nil:
		return d.deny("authorizationEnabled=true: only users have rights")
	case user.Super:
		return d.allow("super user")
	}
	list, reason := r.needsOf(command)
	if reason != "" {
		return d.deny(reason)
	}
	return r.weigh(d, user.Name, list)
}

// needsOf lists what a request needs, or says why that is not known.
func (r *Rules) needsOf(command *wire.Command) ([]Need, string) {
	demand, known := demands[command.Code]
	if !known {
		return nil, "no right is defined for this request: only super users may send it"
	}
	if demand.gather == nil {
		return nil, ""
	}
	n := needs{cluster: r.Cluster}
	if err := demand.gather(&n, command); err != nil {
		return nil, "what the request is about cannot be read: " + err.Error()
	}
	return n.list, ""
}

// weigh allows what all needs are allowed for.
func (r *Rules) weigh(d Decision, user string, list []Need) Decision {
	if len(list) == 0 {
		return d.allow("every user may")
	}
	d.hasNeed, d.more = true, len(list)-1
	acl := r.Accounts.ACL(user)
	for i := len(list) - 1; i >= 0; i-- {
		d.need, d.entry = list[i], nil
		if acl != nil {
			d.entry, d.policy = acl.decide(list[i], d.source)
		}
		if d.entry == nil {
			return d.deny(reasonNoACL)
		}
		if d.entry.Deny {
			return d.deny("")
		}
	}
	return d.allow("")
}

// Touch decides about something that a request turned out to be about only while it was carried out. The request itself was allowed.
func (r *Rules) Touch(command *wire.Command, source netip.Addr, need Need) Decision {
	return r.Later(command.Code, command.Fields.String(signature.FieldAccessKey), source, need)
}

// Later decides about an account that has proven before who it is, by its access key: whether a request of it would be allowed now for one
// need.
func (r *Rules) Later(code int32, accessKey string, source netip.Addr, need Need) Decision {
	d := r.begin(code, source)
	switch {
	case r.Plain != nil:
		return r.Plain.later(d, accessKey, need)
	case !r.Authentication, !r.Authorization, r.ExemptFromAuthorization[code]:
		return d.allow("access control is off for it")
	}
	user, found := r.Accounts.User(accessKey)
	d.Account, d.Super = "User:"+shortened(accessKey), user.Super
	d.need, d.hasNeed = need, true
	switch {
	case !found:
		return d.deny(reasonNoUser)
	case user.Disabled:
		return d.deny(reasonDisabled)
	case user.Super:
		return d.allow("super user")
	}
	return r.weigh(d, user.Name, []Need{need})
}

// Knows reports whether it is written down what a request code needs. Codes that are not are for super users only.
func Knows(code int32) bool {
	_, known := demands[code]
	return known
}

// Changes reports whether a request is one of administration.
func Changes(code int32) bool { return demands[code].class == classChange }
