package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/table"
)

// passwordInput is where passwords are read from that are not typed on the command line.
var passwordInput io.Reader = os.Stdin

// readPassword replaces - by the first line of the standard input.
func readPassword(password *string) error {
	if *password != "-" {
		return nil
	}
	line, err := bufio.NewReader(passwordInput).ReadString('\n')
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return wrongUsage("the standard input has no line with a password: %v", err)
	}
	*password = line
	return nil
}

// usersView is the answer of getUser and listUser.
type usersView struct {
	Users  []userEntry `json:"users"`
	Failed failures    `json:"failed,omitempty"`
}

type userEntry struct {
	Address  string `json:"address"`
	Username string `json:"username"`
	Type     string `json:"userType"`
	Status   string `json:"userStatus"`
}

func newUsersView(answers []brokerAnswer[[]client.UserInfo], failed failures) view {
	v := &usersView{Users: []userEntry{}, Failed: failed}
	for _, a := range answers {
		for _, user := range a.value {
			v.Users = append(v.Users, userEntry{a.broker.Address, user.Username, user.Type, user.Status})
		}
	}
	return v
}

func (v *usersView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("User", "Type", "Status", "At")}
	for _, u := range v.Users {
		t.Add(u.Username, u.Type, u.Status, u.Address)
	}
	return t.Write(out, width)
}

// aclsView is the answer of getAcl and listAcl.
type aclsView struct {
	Entries []aclEntry `json:"entries"`
	Failed  failures   `json:"failed,omitempty"`
}

type aclEntry struct {
	Address  string   `json:"address"`
	Subject  string   `json:"subject"`
	Policy   string   `json:"policyType"`
	Resource string   `json:"resource"`
	Actions  []string `json:"actions"`
	Sources  []string `json:"sourceIps"`
	Decision string   `json:"decision"`
}

func newACLsView(answers []brokerAnswer[[]client.ACLInfo], failed failures) view {
	v := &aclsView{Entries: []aclEntry{}, Failed: failed}
	for _, a := range answers {
		for _, acl := range a.value {
			for _, policy := range acl.Policies {
				for _, e := range policy.Entries {
					v.Entries = append(v.Entries, aclEntry{a.broker.Address, acl.Subject, policy.Type, e.Resource, e.Actions, e.Sources, e.Decision})
				}
			}
		}
	}
	return v
}

func (v *aclsView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Subject", "Policy", "Resource", "Actions", "From", "Decision", "At")}
	for _, e := range v.Entries {
		t.Add(e.Subject, e.Policy, e.Resource, joined(e.Actions), joined(e.Sources), e.Decision, e.Address)
	}
	return t.Write(out, width)
}

// copiedView is the answer of copyUser and copyAcl.
type copiedView struct {
	From   string   `json:"from"`
	To     string   `json:"to"`
	Copied []string `json:"copied"`
	kind   string
}

// write has the words of RocketMQ's tool, which scripts wait for.
func (v *copiedView) write(out io.Writer, _ int) error {
	for _, name := range v.Copied {
		if _, err := fmt.Fprintf(out, "copy %s of %s from %s to %s success.\n", v.kind, name, v.From, v.To); err != nil {
			return err
		}
	}
	return nil
}

// plainVersionsView is the answer of clusterAclConfigVersion.
type plainVersionsView struct {
	Files  []plainVersionEntry `json:"files"`
	Failed failures            `json:"failed,omitempty"`
}

type plainVersionEntry struct {
	Cluster string `json:"cluster"`
	Broker  string `json:"broker"`
	Address string `json:"address"`
	File    string `json:"file"`
	Version int64  `json:"version"` // changes so far
	Changed moment `json:"changed"`
}

func newPlainVersionsView(answers []brokerAnswer[client.PlainVersion], failed failures) view {
	v := &plainVersionsView{Files: []plainVersionEntry{}, Failed: failed}
	for _, a := range answers {
		for _, path := range slices.Sorted(maps.Keys(a.value.Files)) {
			version := a.value.Files[path]
			v.Files = append(v.Files, plainVersionEntry{a.value.ClusterName, a.value.BrokerName, a.broker.Address, path, version.Counter, moment(version.Timestamp)})
		}
	}
	return v
}

func (v *plainVersionsView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Cluster", "Broker", "At", "File", ">Version", "Changed")}
	for _, f := range v.Files {
		t.Add(f.Cluster, f.Broker, f.Address, f.File, number(f.Version), orDash(f.Changed.String()))
	}
	return t.Write(out, width)
}

// plainConfigsView is the answer of getAclConfig.
type plainConfigsView struct {
	Accounts       []plainEntry        `json:"accounts"`
	WhiteAddresses map[string][]string `json:"globalWhiteRemoteAddresses"` // by address of the server
	Failed         failures            `json:"failed,omitempty"`
}

type plainEntry struct {
	Address            string   `json:"address"`
	AccessKey          string   `json:"accessKey"`
	Admin              bool     `json:"admin"`
	WhiteRemoteAddress string   `json:"whiteRemoteAddress"`
	DefaultTopicPerm   string   `json:"defaultTopicPerm"`
	DefaultGroupPerm   string   `json:"defaultGroupPerm"`
	TopicPerms         []string `json:"topicPerms"`
	GroupPerms         []string `json:"groupPerms"`
}

func newPlainConfigsView(answers []brokerAnswer[plainConfig], failed failures) view {
	v := &plainConfigsView{Accounts: []plainEntry{}, WhiteAddresses: map[string][]string{}, Failed: failed}
	for _, a := range answers {
		v.WhiteAddresses[a.broker.Address] = a.value.white
		for _, p := range a.value.accounts {
			v.Accounts = append(v.Accounts, plainEntry{a.broker.Address, p.AccessKey, p.Admin, p.WhiteRemoteAddress, p.DefaultTopicPerm, p.DefaultGroupPerm,
				p.TopicPerms, p.GroupPerms})
		}
	}
	return v
}

func (v *plainConfigsView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Account", "Admin", "Topics", "Other topics", "Groups", "Other groups", "Unsigned from", "At")}
	for _, a := range v.Accounts {
		t.Add(a.AccessKey, fmt.Sprint(a.Admin), joined(a.TopicPerms), orDash(a.DefaultTopicPerm), joined(a.GroupPerms), orDash(a.DefaultGroupPerm),
			orDash(a.WhiteRemoteAddress), a.Address)
	}
	if err := t.Write(out, width); err != nil {
		return err
	}
	for _, address := range slices.Sorted(maps.Keys(v.WhiteAddresses)) {
		if _, err := fmt.Fprintf(out, "%s lets everybody do everything from: %s\n", address, joined(v.WhiteAddresses[address])); err != nil {
			return err
		}
	}
	return nil
}
