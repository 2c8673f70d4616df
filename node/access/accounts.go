package access

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
)

// User is who signs requests (class User).
type User struct {
	Name     string
	Password string // the secret that requests are signed with
	Super    bool   // may do everything
	Disabled bool   // may do nothing
}

// String tells what the user is, and nothing that is secret.
func (u User) String() string {
	text := proto.SubjectUser + u.Name
	if u.Super {
		text += " (super)"
	}
	if u.Disabled {
		text += " (disabled)"
	}
	return text
}

// GoString keeps the password out of what %#v prints.
func (u User) GoString() string { return u.String() }

// Info is the user as answers have it, without the password.
func (u User) Info() proto.UserInfo {
	info := proto.UserInfo{Username: u.Name, Type: proto.UserNormal, Status: proto.UserEnabled}
	if u.Super {
		info.Type = proto.UserSuper
	}
	if u.Disabled {
		info.Status = proto.UserDisabled
	}
	return info
}

// Errors of changes. They are wrapped with the name, and are fit for the remark of an answer.
var (
	ErrUserExists = errors.New("the user exists")
	ErrNoUser     = errors.New("there is no such user")
	ErrNoACL      = errors.New("the user has no ACL")
)

// Bounds of users.
const (
	usersMax    = 100_000
	nameMax     = 256 // bytes
	passwordMax = 1024
)

// ApplyInfo is the user as a request wants it: what is empty stays as it is. The error names the field.
func (u User) ApplyInfo(info *proto.UserInfo) (User, error) {
	if info.Password != "" {
		u.Password = info.Password
	}
	switch {
	case strings.EqualFold(info.Type, proto.UserSuper):
		u.Super = true
	case strings.EqualFold(info.Type, proto.UserNormal):
		u.Super = false
	case info.Type != "":
		return u, fmt.Errorf("userType: %q is neither %s nor %s", info.Type, proto.UserSuper, proto.UserNormal)
	}
	switch {
	case strings.EqualFold(info.Status, proto.UserEnabled):
		u.Disabled = false
	case strings.EqualFold(info.Status, proto.UserDisabled):
		u.Disabled = true
	case info.Status != "":
		return u, fmt.Errorf("userStatus: %q is neither %s nor %s", info.Status, proto.UserEnabled, proto.UserDisabled)
	}
	return u, u.check()
}

func (u User) check() error {
	switch {
	case strings.TrimSpace(u.Name) == "":
		return errors.New("username: it is blank")
	case len(u.Name) > nameMax || strings.ContainsAny(u.Name, "\x00\r\n"):
		return fmt.Errorf("username: want one line of at most %d bytes", nameMax)
	case strings.TrimSpace(u.Password) == "":
		return fmt.Errorf("password of %s: it is blank", u.Name)
	case len(u.Password) > passwordMax:
		return fmt.Errorf("password of %s: it has more than %d bytes", u.Name, passwordMax)
	}
	return nil
}

// Accounts are users and what they may do. They are never changed: each change returns others, so that requests that are being decided are
// decided by one state. A nil *Accounts has none.
type Accounts struct {
	users map[string]User
	acls  map[string]*ACL // each of a user that is there
}

// String counts them.
func (a *Accounts) String() string {
	return fmt.Sprintf("%d users, %d ACLs", len(a.all().users), len(a.all().acls))
}

func (a *Accounts) all() *Accounts {
	if a == nil {
		return &Accounts{}
	}
	return a
}

// User finds a user.
func (a *Accounts) User(name string) (User, bool) {
	u, found := a.all().users[name]
	return u, found
}

// Users are those whose names contain a text, by name.
func (a *Accounts) Users(filter string) []User {
	var found []User
	for _, name := range slices.Sorted(maps.Keys(a.all().users)) {
		if strings.Contains(name, filter) {
			found = append(found, a.users[name])
		}
	}
	return found
}

// ACL is what a user may do; nil for nothing.
func (a *Accounts) ACL(user string) *ACL { return a.all().acls[user] }

// ACLs are those whose subjects contain a text, by user, with the entries whose resources contain another.
func (a *Accounts) ACLs(subject, resource string) []*ACL {
	var found []*ACL
	for _, user := range slices.Sorted(maps.Keys(a.all().acls)) {
		if !strings.Contains(proto.SubjectUser+user, subject) {
			continue
		}
		others := func(e Entry) bool { return !strings.Contains(e.Resource.String(), resource) }
		acl := a.acls[user]
		some := &ACL{User: user, Custom: slices.DeleteFunc(slices.Clone(acl.Custom), others), Default: slices.DeleteFunc(slices.Clone(acl.Default), others)}
		if len(some.Custom)+len(some.Default) > 0 {
			found = append(found, some)
		}
	}
	return found
}

// copied are the same, to be changed.
func (a *Accounts) copied() *Accounts {
	next := &Accounts{users: maps.Clone(a.all().users), acls: maps.Clone(a.all().acls)}
	if next.users == nil {
		next.users = map[string]User{}
	}
	if next.acls == nil {
		next.acls = map[string]*ACL{}
	}
	return next
}

// WithNewUser adds a user.
func (a *Accounts) WithNewUser(u User) (*Accounts, error) {
	if _, found := a.User(u.Name); found {
		return nil, fmt.Errorf("%w: %s", ErrUserExists, u.Name)
	}
	if len(a.all().users) >= usersMax {
		return nil, fmt.Errorf("there are %d users, more are not possible", usersMax)
	}
	return a.withUser(u)
}

// WithUser replaces a user.
func (a *Accounts) WithUser(u User) (*Accounts, error) {
	if _, found := a.User(u.Name); !found {
		return nil, fmt.Errorf("%w: %s", ErrNoUser, u.Name)
	}
	return a.withUser(u)
}

func (a *Accounts) withUser(u User) (*Accounts, error) {
	if err := u.check(); err != nil {
		return nil, err
	}
	next := a.copied()
	next.users[u.Name] = u
	return next, nil
}

// WithoutUser removes a user and the user's ACL, if they are there.
func (a *Accounts) WithoutUser(name string) *Accounts {
	next := a.copied()
	delete(next.users, name)
	delete(next.acls, name)
	return next
}

// WithACL adds entries to the ACL of a user, or replaces those of the same resources.
func (a *Accounts) WithACL(changes *ACL) (*Accounts, error) {
	if _, found := a.User(changes.User); !found {
		return nil, fmt.Errorf("%w: %s", ErrNoUser, changes.User)
	}
	acl := changes
	if old := a.ACL(changes.User); old != nil {
		var err error
		if acl, err = old.With(changes); err != nil {
			return nil, err
		}
	}
	next := a.copied()
	next.acls[acl.User] = acl
	return next, nil
}

// WithoutACL removes the entry of a resource from a policy, or with no resource the whole ACL of a user.
func (a *Accounts) WithoutACL(user, policy, resource string) (*Accounts, error) {
	if _, found := a.User(user); !found {
		return nil, fmt.Errorf("%w: %s", ErrNoUser, user)
	}
	acl := a.ACL(user)
	if acl == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoACL, user)
	}
	next := a.copied()
	delete(next.acls, user)
	if strings.TrimSpace(resource) == "" {
		return next, nil
	}
	r, err := ParseResource(resource)
	if err != nil {
		return nil, err
	}
	left, err := acl.Without(policy, r)
	if err == nil && left != nil {
		next.acls[user] = left
	}
	return next, err
}
