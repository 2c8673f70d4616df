package access

import (
	"fmt"
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
	"github.com/gantrymq/gantry/transport/wire"
)

// Plain is ACL 1.0: accounts as plain_acl.yml has them (class PlainPermissionManager). It is never changed.
type Plain struct {
	white    []addressRule // from where everything is allowed
	accounts map[string]*plainAccount
	warnings []string
}

// plainAccount is one account, ready to decide.
type plainAccount struct {
	name, secret string
	admin        bool
	white        []addressRule // from where it needs no signature, and may do everything
	topics       map[string]Actions
	groups       map[string]Actions
	// What may be done with topics and groups that are not named; 0 is nothing.
	otherTopics, otherGroups Actions
}

// plainKeyMin is the least length of the keys of an account: Java's broker wants more than six characters.
const plainKeyMin = 7

// NewPlain compiles the accounts of some files. Of accounts with the same key the first counts. The error names the account and the field
// that is wrong.
func NewPlain(files ...PlainFile) (*Plain, error) {
	p := &Plain{accounts: map[string]*plainAccount{}}
	for _, file := range files {
		for _, text := range file.WhiteAddresses {
			rules, err := parseAddressRules(text)
			if err != nil {
				return nil, fmt.Errorf("globalWhiteRemoteAddresses: %w", err)
			}
			p.white = append(p.white, rules...)
		}
		for i := range file.Accounts {
			account, err := p.compile(&file.Accounts[i])
			if err != nil {
				return nil, err
			}
			if p.accounts[account.name] != nil {
				p.warnings = append(p.warnings, fmt.Sprintf("account %s is there twice: the first counts", account.name))
				continue
			}
			p.accounts[account.name] = account
		}
	}
	return p, nil
}

// Warnings are what the files say that is taken for a denial, because it is no word of theirs.
func (p *Plain) Warnings() []string { return p.warnings }

// String counts the accounts.
func (p *Plain) String() string { return fmt.Sprintf("%d accounts of ACL 1.0", len(p.accounts)) }

func (p *Plain) compile(from *proto.PlainAccount) (*plainAccount, error) {
	if err := checkPlainKeys(from.AccessKey, from.SecretKey); err != nil {
		return nil, err
	}
	white, err := parseAddressRules(from.WhiteRemoteAddress)
	if err != nil {
		return nil, fmt.Errorf("account %s: whiteRemoteAddress: %w", from.AccessKey, err)
	}
	a := &plainAccount{name: from.AccessKey, secret: from.SecretKey, admin: from.Admin, white: white}
	if a.topics, err = p.permissions(from.AccessKey, "topicPerms", from.TopicPerms); err != nil {
		return nil, err
	}
	if a.groups, err = p.permissions(from.AccessKey, "groupPerms", from.GroupPerms); err != nil {
		return nil, err
	}
	a.otherTopics = p.permission(from.AccessKey, "defaultTopicPerm", from.DefaultTopicPerm)
	a.otherGroups = p.permission(from.AccessKey, "defaultGroupPerm", from.DefaultGroupPerm)
	return a, nil
}

func checkPlainKeys(accessKey, secretKey string) error {
	switch {
	case len(accessKey) < plainKeyMin:
		return fmt.Errorf("accessKey %q: it must have more than %d characters", accessKey, plainKeyMin-1)
	case len(accessKey) > nameMax || strings.ContainsAny(accessKey, "\x00\r\n"):
		return fmt.Errorf("accessKey: want one line of at most %d bytes", nameMax)
	case len(secretKey) < plainKeyMin || len(secretKey) > passwordMax:
		return fmt.Errorf("secretKey of %s: it must have more than %d characters, and at most %d", accessKey, plainKeyMin-1, passwordMax)
	}
	return nil
}

// permissions reads "orders=PUB|SUB".
func (p *Plain) permissions(account, field string, list []string) (map[string]Actions, error) {
	table := map[string]Actions{}
	for _, text := range list {
		name, word, found := strings.Cut(text, "=")
		if name = strings.TrimSpace(name); !found || name == "" || strings.Contains(word, "=") {
			return nil, fmt.Errorf("account %s: %s: %q is not of the form name=PUB|SUB", account, field, text)
		}
		table[strings.TrimPrefix(name, proto.RetryPrefix)] = p.permission(account, field+" "+name, word)
	}
	return table, nil
}

// permission reads a word; what is none is a denial.
func (p *Plain) permission(account, field, word string) Actions {
	actions, known := plainWord(word)
	if !known {
		p.warnings = append(p.warnings, fmt.Sprintf("account %s: %s: %q is none of PUB, SUB, PUB|SUB and DENY, and taken for DENY", account, field, word))
	}
	return actions
}

func plainWord(word string) (actions Actions, known bool) {
	switch strings.TrimSpace(word) {
	case "PUB":
		return ActionPub, true
	case "SUB":
		return ActionSub, true
	case "PUB|SUB", "SUB|PUB":
		return ActionPub | ActionSub, true
	case "DENY", "":
		return 0, true
	}
	return 0, false
}

// decide follows ACL 1.0: addresses first, then the signature, then rights.
func (p *Plain) decide(r *Rules, d Decision, command *wire.Command) Decision {
	if matchesAnyRule(p.white, d.source) {
		d.Account, d.Super = nameOf(command), true
		return d.allow("globalWhiteRemoteAddresses")
	}
	account := p.accounts[command.Fields.String(signature.FieldAccessKey)]
	switch {
	case account == nil && nameOf(command) == "":
		return d.deny("the request is not signed, and this server takes signed ones only (aclEnable)")
	case account == nil:
		d.Account = nameOf(command)
		return d.deny("there is no such account")
	case matchesAnyRule(account.white, d.source):
		d.Account, d.Super = "account "+account.name, true
		return d.allow("whiteRemoteAddress of the account")
	case !signature.Verify(command.Fields, command.Body, command.Version, account.secret):
		d.Account = nameOf(command)
		return d.deny(reasonSignature)
	}
	d.Account, d.Super = "account "+account.name, account.admin
	return p.authorize(r, d, account, command)
}

func (p *Plain) authorize(r *Rules, d Decision, account *plainAccount, command *wire.Command) Decision {
	demand, known := demands[command.Code]
	switch {
	case account.admin:
		return d.allow("admin: true")
	case !known:
		return d.deny("no right is defined for this request: only accounts with admin: true may send it")
	case demand.class == classInner || demand.class == classChange:
		return d.deny("only accounts with admin: true may send this request")
	case demand.class == classLook:
		return d.allow("every account may")
	}
	list, reason := r.needsOf(command)
	if reason != "" {
		return d.deny(reason)
	}
	return account.weigh(d, list)
}

// weigh allows what all needs are allowed for.
func (a *plainAccount) weigh(d Decision, list []Need) Decision {
	if len(list) == 0 {
		return d.allow("every account may")
	}
	d.hasNeed, d.more = true, len(list)-1
	rule := ""
	for i := len(list) - 1; i >= 0; i-- {
		d.need = list[i]
		// Traces may be written by everybody who may send.
		if d.need.Resource == (Resource{Kind: KindTopic, Name: proto.TraceTopic}) && d.need.Actions == ActionPub {
			rule = "traces may be sent by every account"
			continue
		}
		var owned Actions
		owned, rule = a.owned(d.need.Resource)
		if owned&d.need.Actions == 0 {
			return d.deny(rule)
		}
	}
	return d.allow(rule)
}

// owned is what the account may do with a resource, and what says so.
func (a *plainAccount) owned(r Resource) (Actions, string) {
	table, others, field, fallback := a.topics, a.otherTopics, "topicPerms", "defaultTopicPerm"
	if r.Kind == KindGroup {
		table, others, field, fallback = a.groups, a.otherGroups, "groupPerms", "defaultGroupPerm"
	}
	if actions, named := table[r.Name]; named {
		return actions, field + " " + r.Name + "=" + plainText(actions)
	}
	return others, fallback + "=" + plainText(others)
}

func plainText(actions Actions) string {
	switch actions {
	case ActionPub:
		return "PUB"
	case ActionSub:
		return "SUB"
	case ActionPub | ActionSub:
		return "PUB|SUB"
	}
	return "DENY"
}

// later is Rules.Later. ACL 1.0 does not look at what only looks.
func (p *Plain) later(d Decision, accessKey string, need Need) Decision {
	account := p.accounts[accessKey]
	switch {
	case matchesAnyRule(p.white, d.source):
		return d.allow("globalWhiteRemoteAddresses")
	case account == nil:
		return d.deny("there is no such account any more")
	}
	d.Account, d.Super = "account "+account.name, account.admin
	if account.admin || demands[d.code].class != classClient || matchesAnyRule(account.white, d.source) {
		return d.allow("every account may")
	}
	return account.weigh(d, []Need{need})
}
