package proto

import (
	"encoding/json"
	"fmt"
)

// ClusterInfo lists all brokers a name server knows (class ClusterInfo): the body of the
// answer to ReqGetBrokerClusterInfo.
type ClusterInfo struct {
	Brokers  []BrokerRoute // brokerAddrTable; by broker name when read
	Clusters []Cluster     // clusterAddrTable; by name when read
}

// Cluster is one entry of ClusterInfo.Clusters.
type Cluster struct {
	Name        string
	BrokerNames []string
}

// String shows how much there is.
func (c *ClusterInfo) String() string {
	return fmt.Sprintf("%d clusters, %d broker names", len(c.Clusters), len(c.Brokers))
}

// Marshal writes the body, always in fastjson's form: no asker wants it otherwise.
func (c *ClusterInfo) Marshal() []byte {
	var w writer
	w.open('{')
	w.key("brokerAddrTable")
	w.open('{')
	for i := range c.Brokers {
		w.key(c.Brokers[i].BrokerName)
		w.brokerRoute(&c.Brokers[i])
	}
	w.close('}')
	w.key("clusterAddrTable")
	w.open('{')
	for _, cluster := range c.Clusters {
		w.stringsMember(cluster.Name, cluster.BrokerNames)
	}
	w.close('}')
	w.close('}')
	return w.text
}

// UnmarshalClusterInfo reads the body. The error is ErrBody.
func UnmarshalClusterInfo(body []byte) (*ClusterInfo, error) {
	c := new(ClusterInfo)
	if err := unmarshal("ClusterInfo", body, c); err != nil {
		return nil, err
	}
	return c, nil
}

// UnmarshalJSON reads strict JSON.
func (c *ClusterInfo) UnmarshalJSON(text []byte) error {
	var in struct {
		BrokerAddrTable  map[string]*BrokerRoute `json:"brokerAddrTable"`
		ClusterAddrTable map[string][]string     `json:"clusterAddrTable"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*c = ClusterInfo{Brokers: tableValues(in.BrokerAddrTable)}
	for _, name := range sortedKeys(in.ClusterAddrTable) {
		c.Clusters = append(c.Clusters, Cluster{Name: name, BrokerNames: in.ClusterAddrTable[name]})
	}
	return nil
}

// BrokerMemberGroup lists the members of one broker name (class BrokerMemberGroup): the
// body of the answer to ReqGetBrokerMemberGroup.
type BrokerMemberGroup struct {
	Cluster    string          // cluster
	BrokerName string          // brokerName
	Addresses  []BrokerAddress // brokerAddrs; by id when read
}

// String shows the group and its size.
func (g *BrokerMemberGroup) String() string {
	return fmt.Sprintf("%s/%s: %d members", g.Cluster, g.BrokerName, len(g.Addresses))
}

// Marshal writes the body.
func (g *BrokerMemberGroup) Marshal() []byte {
	var w writer
	w.open('{')
	w.memberGroup(g)
	w.close('}')
	return w.text
}

func (w *writer) memberGroup(g *BrokerMemberGroup) {
	w.key("brokerMemberGroup")
	w.open('{')
	w.addresses(g.Addresses)
	w.stringMember("brokerName", g.BrokerName)
	w.stringMember("cluster", g.Cluster)
	w.close('}')
}

// UnmarshalBrokerMemberGroup reads the body. The error is ErrBody.
func UnmarshalBrokerMemberGroup(body []byte) (*BrokerMemberGroup, error) {
	// The class has a part of BrokerData's members, so that reads it.
	var in struct {
		BrokerMemberGroup BrokerRoute `json:"brokerMemberGroup"`
	}
	if err := unmarshal("GetBrokerMemberGroupResponseBody", body, &in); err != nil {
		return nil, err
	}
	group := in.BrokerMemberGroup
	return &BrokerMemberGroup{Cluster: group.Cluster, BrokerName: group.BrokerName, Addresses: group.Addresses}, nil
}
