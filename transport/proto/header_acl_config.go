package proto

import (
	"strings"

	"github.com/gantrymq/gantry/transport/wire"
)

// The requests by which tools of version 4 change the accounts in plain_acl.yml.

// UpdateAndCreateACLConfig is the header of ReqUpdateAndCreateACLConfig (class CreateAccessConfigRequestHeader): an account as it is to be.
// Of an account that exists, what is empty stays as it was; Admin always counts.
type UpdateAndCreateACLConfig struct {
	AccessKey          string        // accessKey
	SecretKey          string        // secretKey
	WhiteRemoteAddress Maybe[string] // whiteRemoteAddress; "" takes it away
	Admin              bool          // admin
	DefaultTopicPerm   string        // defaultTopicPerm
	DefaultGroupPerm   string        // defaultGroupPerm
	TopicPerms         []string      // topicPerms: "orders=PUB|SUB"; joined by commas
	GroupPerms         []string      // groupPerms: "billing=SUB"; joined by commas
}

// String names the account and nothing that is secret.
func (h *UpdateAndCreateACLConfig) String() string { return "account " + h.AccessKey }

// EncodeFields writes the header.
func (h *UpdateAndCreateACLConfig) EncodeFields(e *wire.Encoder) {
	e.String("accessKey", h.AccessKey)
	encodeText(e, "secretKey", h.SecretKey)
	if h.WhiteRemoteAddress.Set {
		e.String("whiteRemoteAddress", h.WhiteRemoteAddress.Value)
	}
	e.Bool("admin", h.Admin)
	encodeText(e, "defaultTopicPerm", h.DefaultTopicPerm)
	encodeText(e, "defaultGroupPerm", h.DefaultGroupPerm)
	encodeList(e, "topicPerms", h.TopicPerms, ",")
	encodeList(e, "groupPerms", h.GroupPerms, ",")
}

// DecodeFields reads the header.
func (h *UpdateAndCreateACLConfig) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = UpdateAndCreateACLConfig{
		AccessKey: r.needText("accessKey"), SecretKey: r.text("secretKey"), Admin: r.flag("admin", false),
		DefaultTopicPerm: r.text("defaultTopicPerm"), DefaultGroupPerm: r.text("defaultGroupPerm"),
		TopicPerms: r.list("topicPerms", ","), GroupPerms: r.list("groupPerms", ","),
	}
	if address, given := f.Get("whiteRemoteAddress"); given {
		h.WhiteRemoteAddress = Some(string(address))
	}
	return r.err
}

// DeleteACLConfig is the header of ReqDeleteACLConfig (class DeleteAccessConfigRequestHeader).
type DeleteACLConfig struct {
	AccessKey string // accessKey
}

// EncodeFields writes the header.
func (h *DeleteACLConfig) EncodeFields(e *wire.Encoder) { e.String("accessKey", h.AccessKey) }

// DecodeFields reads the header.
func (h *DeleteACLConfig) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = DeleteACLConfig{AccessKey: r.needText("accessKey")}
	return r.err
}

// UpdateGlobalWhiteAddressesConfig is the header of ReqUpdateGlobalWhiteAddressesConfig (class UpdateGlobalWhiteAddrsConfigRequestHeader):
// from where everything is allowed.
type UpdateGlobalWhiteAddressesConfig struct {
	Addresses []string // globalWhiteAddrs; joined by commas
	File      string   // aclFileFullPath; "" is the usual file
}

// EncodeFields writes the header.
func (h *UpdateGlobalWhiteAddressesConfig) EncodeFields(e *wire.Encoder) {
	e.String("globalWhiteAddrs", strings.Join(h.Addresses, ","))
	e.String("aclFileFullPath", h.File)
}

// DecodeFields reads the header.
func (h *UpdateGlobalWhiteAddressesConfig) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	r.needText("globalWhiteAddrs")
	*h = UpdateGlobalWhiteAddressesConfig{Addresses: r.list("globalWhiteAddrs", ","), File: r.text("aclFileFullPath")}
	return r.err
}

// ACLInfoResponse is the header of the answer to ReqGetBrokerClusterACLInfo (class GetBrokerAclConfigResponseHeader): which version
// of the accounts a broker has.
type ACLInfoResponse struct {
	Version       DataVersion // version, as JSON
	BrokerName    string      // brokerName
	BrokerAddress string      // brokerAddr
	ClusterName   string      // clusterName
	// Files (allAclFileVersion, as JSON) are the versions of single files, by their paths.
	Files map[string]DataVersion
}

// EncodeFields writes the header.
func (h *ACLInfoResponse) EncodeFields(e *wire.Encoder) {
	e.Bytes("version", h.Version.Marshal())
	e.String("brokerName", h.BrokerName)
	e.String("brokerAddr", h.BrokerAddress)
	e.String("clusterName", h.ClusterName)
	var w writer
	w.open('{')
	for _, path := range sortedKeys(h.Files) {
		w.key(path)
		version := h.Files[path]
		w.raw(string(version.Marshal()))
	}
	w.close('}')
	e.Bytes("allAclFileVersion", w.text)
}

// DecodeFields reads the header.
func (h *ACLInfoResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = ACLInfoResponse{
		Version: r.maybeVersion("version").Value, BrokerName: r.needText("brokerName"), BrokerAddress: r.needText("brokerAddr"),
		ClusterName: r.needText("clusterName"), Files: map[string]DataVersion{},
	}
	files := map[string]*DataVersion{}
	if text, given := f.Get("allAclFileVersion"); given && unmarshal("allAclFileVersion", text, &files) == nil {
		// order does not matter: one map is copied into another
		for path, version := range files {
			if version != nil {
				h.Files[path] = *version
			}
		}
	}
	return r.err
}
