package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
	"go.yaml.in/yaml/v3"
)

// PlainFile is what a file such as plain_acl.yml says (class PlainAccessData). Secrets in it may be sealed.
type PlainFile struct {
	WhiteAddresses []string // globalWhiteRemoteAddresses
	Accounts       []proto.PlainAccount
	Version        proto.DataVersion // of the changes by requests; zero if there were none
}

// String counts the accounts.
func (f *PlainFile) String() string {
	return fmt.Sprintf("%d accounts, %s", len(f.Accounts), f.Version)
}

// plainYAML is the file as it is written.
type plainYAML struct {
	WhiteAddresses []string           `yaml:"globalWhiteRemoteAddresses,omitempty"`
	Accounts       []plainAccountYAML `yaml:"accounts,omitempty"`
	Versions       []plainVersionYAML `yaml:"dataVersion,omitempty"`
}

type plainAccountYAML struct {
	AccessKey          string   `yaml:"accessKey"`
	SecretKey          string   `yaml:"secretKey"`
	WhiteRemoteAddress string   `yaml:"whiteRemoteAddress"`
	Admin              bool     `yaml:"admin"`
	DefaultTopicPerm   string   `yaml:"defaultTopicPerm,omitempty"`
	DefaultGroupPerm   string   `yaml:"defaultGroupPerm,omitempty"`
	TopicPerms         []string `yaml:"topicPerms,omitempty"`
	GroupPerms         []string `yaml:"groupPerms,omitempty"`
}

type plainVersionYAML struct {
	StateVersion int64 `yaml:"stateVersion"`
	Timestamp    int64 `yaml:"timestamp"`
	Counter      int64 `yaml:"counter"`
}

// plainFileMax bounds a file, in bytes.
const plainFileMax = 16 << 20

// ParsePlainFile reads a file. Keys that it does not know are left alone, as Java does; an empty file has no accounts.
func ParsePlainFile(content []byte) (PlainFile, error) {
	if len(content) > plainFileMax {
		return PlainFile{}, fmt.Errorf("%d bytes, at most %d are possible", len(content), plainFileMax)
	}
	var in plainYAML
	if err := yaml.Unmarshal(content, &in); err != nil {
		return PlainFile{}, err
	}
	file := PlainFile{WhiteAddresses: in.WhiteAddresses}
	for _, a := range in.Accounts {
		file.Accounts = append(file.Accounts, proto.PlainAccount(a))
	}
	if len(in.Versions) > 0 {
		file.Version = proto.DataVersion(in.Versions[0])
	}
	return file, nil
}

// Marshal writes the file. Comments of the one that was read are gone.
func (f *PlainFile) Marshal() ([]byte, error) {
	out := plainYAML{WhiteAddresses: f.WhiteAddresses}
	for _, a := range f.Accounts {
		out.Accounts = append(out.Accounts, plainAccountYAML(a))
	}
	if f.Version != (proto.DataVersion{}) {
		out.Versions = []plainVersionYAML{plainVersionYAML(f.Version)}
	}
	return yaml.Marshal(&out)
}

// Has reports whether the file has an account.
func (f *PlainFile) Has(accessKey string) bool { return f.find(accessKey) >= 0 }

func (f *PlainFile) find(accessKey string) int {
	return slices.IndexFunc(f.Accounts, func(a proto.PlainAccount) bool { return a.AccessKey == accessKey })
}

// With makes or changes an account (updateAclConfig). What a request leaves empty stays as it was. Unlike a file, a request may not
// have words that are none.
func (f PlainFile) With(change *proto.UpdateAndCreateACLConfig) (PlainFile, error) {
	account := proto.PlainAccount{AccessKey: change.AccessKey}
	at := f.find(change.AccessKey)
	if at >= 0 {
		account = f.Accounts[at]
	}
	replace(&account.SecretKey, change.SecretKey)
	replace(&account.DefaultTopicPerm, change.DefaultTopicPerm)
	replace(&account.DefaultGroupPerm, change.DefaultGroupPerm)
	account.Admin = change.Admin
	if change.WhiteRemoteAddress.Set {
		account.WhiteRemoteAddress = change.WhiteRemoteAddress.Value
	}
	if len(change.TopicPerms) > 0 {
		account.TopicPerms = change.TopicPerms
	}
	if len(change.GroupPerms) > 0 {
		account.GroupPerms = change.GroupPerms
	}
	f.Accounts = slices.Clone(f.Accounts)
	if at < 0 {
		f.Accounts = append(f.Accounts, account)
	} else {
		f.Accounts[at] = account
	}
	return f, checkPlainAccount(account)
}

func replace(text *string, with string) {
	if with != "" {
		*text = with
	}
}

func checkPlainAccount(account proto.PlainAccount) error {
	p, err := NewPlain(PlainFile{Accounts: []proto.PlainAccount{account}})
	if err == nil && len(p.warnings) > 0 {
		err = errors.New(strings.Join(p.warnings, "; "))
	}
	return err
}

// Without removes an account.
func (f PlainFile) Without(accessKey string) PlainFile {
	f.Accounts = slices.DeleteFunc(slices.Clone(f.Accounts), func(a proto.PlainAccount) bool { return a.AccessKey == accessKey })
	return f
}

// WithWhiteAddresses replaces the addresses from where everything is allowed.
func (f PlainFile) WithWhiteAddresses(addresses []string) (PlainFile, error) {
	f.WhiteAddresses = addresses
	_, err := NewPlain(PlainFile{WhiteAddresses: addresses})
	return f, err
}
