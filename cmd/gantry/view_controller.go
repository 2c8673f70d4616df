package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/gantrymq/gantry/transport/proto"
)

// controllersView is the answer of getControllerMetaData.
type controllersView struct {
	Group         string   `json:"group"`
	LeaderID      string   `json:"controllerLeaderId"`      // "" if none is known
	LeaderAddress string   `json:"controllerLeaderAddress"` // likewise
	Peers         []string `json:"peers"`                   // id:host:port
}

func newControllersView(m *client.ControllerMetadata) *controllersView {
	v := &controllersView{Group: m.Group, LeaderID: m.LeaderID, LeaderAddress: m.LeaderAddress, Peers: []string{}}
	for peer := range strings.SplitSeq(m.Peers, ";") {
		if peer != "" {
			v.Peers = append(v.Peers, peer)
		}
	}
	return v
}

// write has the lines of RocketMQ's tool.
func (v *controllersView) write(out io.Writer, _ int) error {
	var text strings.Builder
	fmt.Fprintf(&text, "\n#ControllerGroup\t%s\n#ControllerLeaderId\t%s\n#ControllerLeaderAddress\t%s\n", v.Group, v.LeaderID, v.LeaderAddress)
	for _, peer := range v.Peers {
		fmt.Fprintf(&text, "#Peer:\t%s\n", peer)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// replicasView is the answer of getSyncStateSet.
type replicasView struct {
	Groups []replicaGroupEntry `json:"groups"`
}

type replicaGroupEntry struct {
	BrokerName  string         `json:"brokerName"`
	MasterID    *int64         `json:"masterBrokerId"` // nil: none
	MasterEpoch int32          `json:"masterEpoch"`
	SetEpoch    int32          `json:"syncStateSetEpoch"`
	Members     []replicaEntry `json:"members"`
}

type replicaEntry struct {
	ID      int64  `json:"id"`
	Address string `json:"address"`
	Master  bool   `json:"master"`
	InSync  bool   `json:"inSync"`
	Alive   bool   `json:"alive"`
}

func newReplicasView(sets *client.ReplicaSets) *replicasView {
	v := &replicasView{Groups: []replicaGroupEntry{}}
	for i := range sets.Groups {
		g := &sets.Groups[i]
		entry := replicaGroupEntry{BrokerName: g.BrokerName, MasterEpoch: g.MasterEpoch, SetEpoch: g.SetEpoch, Members: []replicaEntry{}}
		if g.MasterID.Set {
			entry.MasterID = &g.MasterID.Value
		}
		entry.add(g.InSync, true)
		entry.add(g.NotInSync, false)
		v.Groups = append(v.Groups, entry)
	}
	return v
}

func (e *replicaGroupEntry) add(replicas []proto.Replica, inSync bool) {
	for _, r := range replicas {
		master := e.MasterID != nil && *e.MasterID == r.BrokerID
		e.Members = append(e.Members, replicaEntry{ID: r.BrokerID, Address: r.Address, Master: master, InSync: inSync, Alive: r.Alive})
	}
}

func (v *replicasView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Broker", ">ID", "Address", "Role", "In sync", "Alive", ">Master epoch", ">Set epoch")}
	for i := range v.Groups {
		g := &v.Groups[i]
		for _, m := range g.Members {
			role := "slave"
			if m.Master {
				role = "master"
			}
			t.Add(g.BrokerName, number(m.ID), orDash(m.Address), role, yesNo(m.InSync), yesNo(m.Alive), number(int64(g.MasterEpoch)), number(int64(g.SetEpoch)))
		}
	}
	return t.Write(out, width)
}

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// electedView is the answer of electMaster.
type electedView struct {
	Cluster     string        `json:"clusterName"`
	BrokerName  string        `json:"brokerName"`
	MasterID    int64         `json:"masterBrokerId"`
	Address     string        `json:"masterAddress"`
	MasterEpoch int32         `json:"masterEpoch"`
	SetEpoch    int32         `json:"syncStateSetEpoch"`
	InSync      []int64       `json:"syncStateSet"`
	Members     []brokerEntry `json:"members"`
}

// brokerEntry is a broker of a group.
type brokerEntry struct {
	ID      int64  `json:"id"`
	Address string `json:"address"`
}

func newElectedView(cluster, broker string, e *client.ElectedMaster) *electedView {
	v := &electedView{
		Cluster: cluster, BrokerName: broker, MasterID: e.BrokerID.Value, Address: e.Address, MasterEpoch: e.Epoch, SetEpoch: e.SetEpoch, InSync: e.InSyncIDs,
	}
	for _, a := range e.Group.Addresses {
		v.Members = append(v.Members, brokerEntry{a.ID, a.Address})
	}
	return v
}

// write has the lines of RocketMQ's tool.
func (v *electedView) write(out io.Writer, _ int) error {
	var text strings.Builder
	fmt.Fprintf(&text, "\n#ClusterName\t%s\n#BrokerName\t%s\n#BrokerMasterAddr\t%s\n#MasterEpoch\t%d\n#SyncStateSetEpoch\t%d\n", v.Cluster, v.BrokerName, v.Address, v.MasterEpoch, v.SetEpoch)
	for _, m := range v.Members {
		fmt.Fprintf(&text, "\t#Broker\t%d\t%s\n", m.ID, m.Address)
	}
	_, err := io.WriteString(out, text.String())
	return err
}
