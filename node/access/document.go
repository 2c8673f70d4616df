package access

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/transport/proto"
)

// The file of accounts is JSON: users and ACLs as requests have them, with sealed passwords. People may write passwords as they are;
// they are sealed once the file was read.

// documentJSON is the file.
type documentJSON struct {
	Users []json.RawMessage `json:"users"`
	ACLs  []json.RawMessage `json:"acls"`
}

// Marshal writes the file of accounts. seal is called for each password.
func (a *Accounts) Marshal(seal func(name, password string) string) []byte {
	out := documentJSON{Users: []json.RawMessage{}, ACLs: []json.RawMessage{}}
	for _, user := range a.Users("") {
		info := user.Info()
		info.Password = seal(user.Name, user.Password)
		out.Users = append(out.Users, info.Marshal())
	}
	for _, acl := range a.ACLs("", "") {
		info := acl.Info()
		out.ACLs = append(out.ACLs, info.Marshal())
	}
	// Only values that cannot be written would fail, and there are none.
	text, _ := json.MarshalIndent(&out, "", "  ")
	return append(text, '\n')
}

// ParseAccounts reads a file of accounts. plain reports whether a password was not sealed. Errors name the user and the field.
func ParseAccounts(content []byte, open func(name, password string) (string, error)) (accounts *Accounts, plain bool, err error) {
	var in documentJSON
	strict, err := proto.Strict(content)
	if err == nil {
		err = json.Unmarshal(strict, &in)
	}
	if err != nil {
		return nil, false, err
	}
	accounts = new(Accounts).copied()
	for _, text := range in.Users {
		user, sealed, err := parseUser(text, open)
		if err == nil && len(accounts.users) >= usersMax {
			err = fmt.Errorf("more than %d users", usersMax)
		}
		if _, twice := accounts.users[user.Name]; err == nil && twice {
			err = errors.New("the user is there twice")
		}
		if err != nil {
			return nil, false, fmt.Errorf("user %s: %w", user.Name, err)
		}
		accounts.users[user.Name] = user
		plain = plain || !sealed
	}
	return accounts, plain, accounts.addACLs(in.ACLs)
}

func parseUser(text []byte, open func(name, password string) (string, error)) (user User, sealed bool, err error) {
	info, err := proto.UnmarshalUserInfo(text)
	if err != nil {
		return user, false, err
	}
	user.Name, sealed = info.Username, IsSealed(info.Password)
	if info.Password, err = open(info.Username, info.Password); err != nil {
		return user, sealed, err
	}
	applied, err := user.ApplyInfo(info)
	return applied, sealed, err
}

// addACLs is for accounts that are being read.
func (a *Accounts) addACLs(texts []json.RawMessage) error {
	for _, text := range texts {
		info, err := proto.UnmarshalACLInfo(text)
		if err != nil {
			return err
		}
		acl, err := ParseACL(info)
		if err != nil {
			return fmt.Errorf("ACL of %s: %w", info.Subject, err)
		}
		if _, found := a.users[acl.User]; !found {
			return fmt.Errorf("ACL of %s: %w", info.Subject, ErrNoUser)
		}
		if a.acls[acl.User] != nil {
			return fmt.Errorf("ACL of %s: it is there twice", info.Subject)
		}
		a.acls[acl.User] = acl
	}
	return nil
}
