package proto

import "fmt"

// ACLConfig is all accounts of plain_acl.yml (class AclConfig): the body of the answer to ReqGetBrokerClusterACLConfig.
type ACLConfig struct {
	WhiteAddresses []string // globalWhiteAddrs: from where everything is allowed
	Accounts       []PlainAccount
}

// PlainAccount is one account (class PlainAccessConfig). Brokers of ours leave out the secret.
type PlainAccount struct {
	AccessKey          string   // accessKey
	SecretKey          string   // secretKey
	WhiteRemoteAddress string   // whiteRemoteAddress: from where its requests need no signature
	Admin              bool     // admin
	DefaultTopicPerm   string   // defaultTopicPerm: PUB, SUB, PUB|SUB or DENY
	DefaultGroupPerm   string   // defaultGroupPerm
	TopicPerms         []string // topicPerms: "orders=PUB|SUB"
	GroupPerms         []string // groupPerms: "billing=SUB"
}

// String names the account and nothing that is secret.
func (p PlainAccount) String() string { return "account " + p.AccessKey }

// GoString keeps the secret out of what %#v prints.
func (p PlainAccount) GoString() string { return p.String() }

// String shows the number of accounts.
func (c *ACLConfig) String() string { return fmt.Sprintf("%d accounts", len(c.Accounts)) }

// Marshal writes the body.
func (c *ACLConfig) Marshal() []byte {
	var w writer
	w.open('{')
	w.stringsMember("globalWhiteAddrs", c.WhiteAddresses)
	w.key("plainAccessConfigs")
	w.open('[')
	for i := range c.Accounts {
		w.plainAccount(&c.Accounts[i])
	}
	w.close(']')
	w.close('}')
	return w.text
}

func (w *writer) plainAccount(p *PlainAccount) {
	w.open('{')
	w.textMember("accessKey", p.AccessKey)
	w.booleanMember("admin", p.Admin)
	w.textMember("defaultGroupPerm", p.DefaultGroupPerm)
	w.textMember("defaultTopicPerm", p.DefaultTopicPerm)
	w.stringsMember("groupPerms", p.GroupPerms)
	w.textMember("secretKey", p.SecretKey)
	w.stringsMember("topicPerms", p.TopicPerms)
	w.textMember("whiteRemoteAddress", p.WhiteRemoteAddress)
	w.close('}')
}

// UnmarshalACLConfig reads the body. The error is ErrBody.
func UnmarshalACLConfig(body []byte) (*ACLConfig, error) {
	var in struct {
		GlobalWhiteAddrs   []string `json:"globalWhiteAddrs"`
		PlainAccessConfigs []struct {
			AccessKey          looseString `json:"accessKey"`
			SecretKey          looseString `json:"secretKey"`
			WhiteRemoteAddress looseString `json:"whiteRemoteAddress"`
			Admin              looseBool   `json:"admin"`
			DefaultTopicPerm   looseString `json:"defaultTopicPerm"`
			DefaultGroupPerm   looseString `json:"defaultGroupPerm"`
			TopicPerms         []string    `json:"topicPerms"`
			GroupPerms         []string    `json:"groupPerms"`
		} `json:"plainAccessConfigs"`
	}
	if err := unmarshal("AclConfig", body, &in); err != nil {
		return nil, err
	}
	c := &ACLConfig{WhiteAddresses: in.GlobalWhiteAddrs}
	for _, p := range in.PlainAccessConfigs {
		c.Accounts = append(c.Accounts, PlainAccount{
			AccessKey: string(p.AccessKey), SecretKey: string(p.SecretKey), WhiteRemoteAddress: string(p.WhiteRemoteAddress), Admin: bool(p.Admin),
			DefaultTopicPerm: string(p.DefaultTopicPerm), DefaultGroupPerm: string(p.DefaultGroupPerm), TopicPerms: p.TopicPerms, GroupPerms: p.GroupPerms,
		})
	}
	return c, nil
}
