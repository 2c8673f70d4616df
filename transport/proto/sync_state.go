package proto

import (
	"encoding/json"
	"fmt"
	"slices"
)

// SyncStateSet is the in-sync set of a group (class SyncStateSet): the members that have everything that was ever confirmed. It is the
// body of ReqControllerAlterSyncStateSet, ReqNotifyBrokerRoleChanged and of most answers of controllers.
type SyncStateSet struct {
	BrokerIDs []int64 // syncStateSet; sorted, each once, when read
	Epoch     int32   // syncStateSetEpoch
}

// String shows members and epoch.
func (s *SyncStateSet) String() string {
	return fmt.Sprintf("in sync %v, set epoch %d", s.BrokerIDs, s.Epoch)
}

// Marshal writes the body.
func (s *SyncStateSet) Marshal() []byte {
	var w writer
	w.open('{')
	w.integersMember("syncStateSet", s.BrokerIDs)
	w.integerMember("syncStateSetEpoch", int64(s.Epoch))
	w.close('}')
	return w.text
}

// UnmarshalSyncStateSet reads the body. The error is ErrBody.
func UnmarshalSyncStateSet(body []byte) (*SyncStateSet, error) {
	var in struct {
		SyncStateSet      []looseInt64 `json:"syncStateSet"`
		SyncStateSetEpoch looseInt32   `json:"syncStateSetEpoch"`
	}
	if err := unmarshal("SyncStateSet", body, &in); err != nil {
		return nil, err
	}
	return &SyncStateSet{BrokerIDs: idSet(in.SyncStateSet), Epoch: int32(in.SyncStateSetEpoch)}, nil
}

// idSet makes a sorted set of ids; nil if there is none.
func idSet(numbers []looseInt64) []int64 {
	var ids []int64
	for _, n := range numbers {
		ids = append(ids, int64(n))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (w *writer) integersMember(name string, values []int64) {
	w.key(name)
	w.open('[')
	for _, value := range values {
		w.integer(value)
	}
	w.close(']')
}

// ElectedMaster tells of a group after an election (class ElectMasterResponseBody): the body of the answer to ReqControllerElectMaster.
type ElectedMaster struct {
	Group     BrokerMemberGroup // brokerMemberGroup: all members, with the controller's ids
	InSyncIDs []int64           // syncStateSet; sorted, each once, when read
}

// String shows the group and how many of it are in sync.
func (m *ElectedMaster) String() string { return fmt.Sprintf("%s, in sync %v", &m.Group, m.InSyncIDs) }

// Marshal writes the body.
func (m *ElectedMaster) Marshal() []byte {
	var w writer
	w.open('{')
	w.memberGroup(&m.Group)
	w.integersMember("syncStateSet", m.InSyncIDs)
	w.close('}')
	return w.text
}

// UnmarshalElectedMaster reads the body. The error is ErrBody.
func UnmarshalElectedMaster(body []byte) (*ElectedMaster, error) {
	// The class of the group has a part of BrokerData's members, so that reads it.
	var in struct {
		BrokerMemberGroup BrokerRoute  `json:"brokerMemberGroup"`
		SyncStateSet      []looseInt64 `json:"syncStateSet"`
	}
	if err := unmarshal("ElectMasterResponseBody", body, &in); err != nil {
		return nil, err
	}
	group := in.BrokerMemberGroup
	return &ElectedMaster{
		Group:     BrokerMemberGroup{Cluster: group.Cluster, BrokerName: group.BrokerName, Addresses: group.Addresses},
		InSyncIDs: idSet(in.SyncStateSet),
	}, nil
}

// BrokerNames is a list of broker names: the body of ReqControllerGetSyncStateData.
type BrokerNames []string

// String shows how many there are.
func (n BrokerNames) String() string { return fmt.Sprintf("%d broker names", len(n)) }

// Marshal writes the body.
func (n BrokerNames) Marshal() []byte {
	var w writer
	w.open('[')
	for _, name := range n {
		w.string(name)
	}
	w.close(']')
	return w.text
}

// UnmarshalBrokerNames reads the body. The error is ErrBody.
func UnmarshalBrokerNames(body []byte) (BrokerNames, error) {
	var in []looseString
	if err := unmarshal("list of broker names", body, &in); err != nil {
		return nil, err
	}
	names := make(BrokerNames, len(in))
	for i, name := range in {
		names[i] = string(name)
	}
	return names, nil
}

// ReplicasInfo is what a controller knows of one group (class BrokerReplicasInfo.ReplicasInfo).
type ReplicasInfo struct {
	BrokerName    string       // the key in the table
	InSync        []Replica    // inSyncReplicas
	MasterAddress string       // masterAddress: "" without a master
	MasterID      Maybe[int64] // masterBrokerId: absent without a master
	MasterEpoch   int32        // masterEpoch
	NotInSync     []Replica    // notInSyncReplicas
	SetEpoch      int32        // syncStateSetEpoch
}

// Replica is one member of a group (class BrokerReplicasInfo.ReplicaIdentity).
type Replica struct {
	Alive      bool   // alive: the controller heard from it lately
	Address    string // brokerAddress
	BrokerID   int64  // brokerId
	BrokerName string // brokerName
}

// BrokerReplicasInfo is what a controller knows of groups (class BrokerReplicasInfo): the body of the answer to
// ReqControllerGetSyncStateData.
type BrokerReplicasInfo struct {
	Groups []ReplicasInfo // replicasInfoTable; by broker name when read
}

// String shows how many groups there are.
func (i *BrokerReplicasInfo) String() string { return fmt.Sprintf("%d groups", len(i.Groups)) }

// Marshal writes the body.
func (i *BrokerReplicasInfo) Marshal() []byte {
	var w writer
	w.open('{')
	w.key("replicasInfoTable")
	w.open('{')
	for n := range i.Groups {
		w.key(i.Groups[n].BrokerName)
		w.replicasInfo(&i.Groups[n])
	}
	w.close('}')
	w.close('}')
	return w.text
}

func (w *writer) replicasInfo(g *ReplicasInfo) {
	w.open('{')
	w.replicas("inSyncReplicas", g.InSync)
	if g.MasterAddress != "" {
		w.stringMember("masterAddress", g.MasterAddress)
	}
	if g.MasterID.Set {
		w.integerMember("masterBrokerId", g.MasterID.Value)
	}
	w.integerMember("masterEpoch", int64(g.MasterEpoch))
	w.replicas("notInSyncReplicas", g.NotInSync)
	w.integerMember("syncStateSetEpoch", int64(g.SetEpoch))
	w.close('}')
}

func (w *writer) replicas(name string, replicas []Replica) {
	w.key(name)
	w.open('[')
	for _, r := range replicas {
		w.open('{')
		w.booleanMember("alive", r.Alive)
		w.stringMember("brokerAddress", r.Address)
		w.integerMember("brokerId", r.BrokerID)
		w.stringMember("brokerName", r.BrokerName)
		w.close('}')
	}
	w.close(']')
}

// UnmarshalBrokerReplicasInfo reads the body. The error is ErrBody.
func UnmarshalBrokerReplicasInfo(body []byte) (*BrokerReplicasInfo, error) {
	var in struct {
		ReplicasInfoTable map[string]*ReplicasInfo `json:"replicasInfoTable"`
	}
	if err := unmarshal("BrokerReplicasInfo", body, &in); err != nil {
		return nil, err
	}
	// order does not matter: each entry gets its own key
	for name, group := range in.ReplicasInfoTable {
		if group != nil {
			group.BrokerName = name
		}
	}
	return &BrokerReplicasInfo{Groups: tableValues(in.ReplicasInfoTable)}, nil
}

// UnmarshalJSON reads strict JSON.
func (g *ReplicasInfo) UnmarshalJSON(text []byte) error {
	var in struct {
		InSyncReplicas    []Replica   `json:"inSyncReplicas"`
		MasterAddress     looseString `json:"masterAddress"`
		MasterBrokerID    looseLong   `json:"masterBrokerId"`
		MasterEpoch       looseInt32  `json:"masterEpoch"`
		NotInSyncReplicas []Replica   `json:"notInSyncReplicas"`
		SyncStateSetEpoch looseInt32  `json:"syncStateSetEpoch"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*g = ReplicasInfo{
		InSync: in.InSyncReplicas, NotInSync: in.NotInSyncReplicas,
		MasterAddress: string(in.MasterAddress), MasterID: Maybe[int64](in.MasterBrokerID),
		MasterEpoch: int32(in.MasterEpoch), SetEpoch: int32(in.SyncStateSetEpoch),
	}
	return nil
}

// UnmarshalJSON reads strict JSON.
func (r *Replica) UnmarshalJSON(text []byte) error {
	var in struct {
		Alive         looseBool   `json:"alive"`
		BrokerAddress looseString `json:"brokerAddress"`
		BrokerID      looseInt64  `json:"brokerId"`
		BrokerName    looseString `json:"brokerName"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*r = Replica{Alive: bool(in.Alive), Address: string(in.BrokerAddress), BrokerID: int64(in.BrokerID), BrokerName: string(in.BrokerName)}
	return nil
}

// looseLong is a looseInt64 that knows whether it was given.
type looseLong Maybe[int64]

// UnmarshalJSON reads a whole number of 64 bits.
func (n *looseLong) UnmarshalJSON(text []byte) error {
	value, given, err := looseNumber(text)
	*n = looseLong{Value: value, Set: given}
	return err
}
