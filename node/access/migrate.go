package access

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/proto"
)

// Migrate makes users of accounts of ACL 1.0 (migrateAuthFromV1Enabled). Users that are there stay as they are. What an account may do becomes an ACL:
// what it says of topics and groups becomes Custom entries, its defaults become Default ones.
func (a *Accounts) Migrate(file PlainFile) (*Accounts, []string, error) {
	var moved []string
	for i := range file.Accounts {
		account := &file.Accounts[i]
		if _, found := a.User(account.AccessKey); found {
			continue
		}
		next, err := a.WithNewUser(User{Name: account.AccessKey, Password: account.SecretKey, Super: account.Admin})
		if err != nil {
			return nil, nil, fmt.Errorf("account %s: %w", account.AccessKey, err)
		}
		acl, err := migratedACL(account)
		if err != nil {
			return nil, nil, err
		}
		if len(acl.Custom)+len(acl.Default) > 0 {
			if next, err = next.WithACL(acl); err != nil {
				return nil, nil, fmt.Errorf("account %s: %w", account.AccessKey, err)
			}
		}
		a, moved = next, append(moved, account.AccessKey)
	}
	return a, moved, nil
}

func migratedACL(account *proto.PlainAccount) (*ACL, error) {
	p := &Plain{}
	acl := &ACL{User: account.AccessKey}
	for _, part := range []struct {
		field    string
		list     []string
		resource func(string) Resource
	}{{"topicPerms", account.TopicPerms, TopicResource}, {"groupPerms", account.GroupPerms, GroupResource}} {
		for _, text := range part.list {
			table, err := p.permissions(account.AccessKey, part.field, []string{text})
			if err != nil {
				return nil, err
			}
			// order does not matter: there is one
			for name, actions := range table {
				acl.Custom = merged(acl.Custom, []Entry{migratedEntry(part.resource(name), actions)})
			}
		}
	}
	if account.DefaultTopicPerm != "" {
		acl.Default = append(acl.Default, migratedEntry(Resource{Kind: KindTopic, Pattern: PatternAny}, p.permission("", "", account.DefaultTopicPerm)))
	}
	if account.DefaultGroupPerm != "" {
		acl.Default = append(acl.Default, migratedEntry(Resource{Kind: KindGroup, Pattern: PatternAny}, p.permission("", "", account.DefaultGroupPerm)))
	}
	return acl, nil
}

func migratedEntry(resource Resource, actions Actions) Entry {
	if actions == 0 {
		return Entry{Resource: resource, Actions: ActionAll, Deny: true}
	}
	return Entry{Resource: resource, Actions: actions}
}
