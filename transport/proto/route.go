package proto

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Route tells where the queues of a topic are (class TopicRouteData): the body of the
// answer to ReqGetRouteInfoByTopic.
type Route struct {
	OrderConfig string        // orderTopicConf: "broker-a:8;broker-b:4" for ordered topics
	Queues      []QueueRoute  // queueDatas: one for each broker name that has the topic
	Brokers     []BrokerRoute // brokerDatas: one for each broker name
	// FilterServers (filterServerTable) is historical: addresses by broker address.
	FilterServers map[string][]string
	// Mappings (topicQueueMappingByBroker) are of static topics only, one for each broker
	// name.
	Mappings []TopicMapping
}

// QueueRoute tells how many queues of a topic one broker name has (class QueueData).
type QueueRoute struct {
	BrokerName  string       // brokerName
	ReadQueues  int32        // readQueueNums
	WriteQueues int32        // writeQueueNums
	Perm        Perm         // perm
	SysFlags    TopicSysFlag // topicSysFlag; releases before 4.9 spell it topicSynFlag
}

// BrokerRoute tells where the members of a broker name are (class BrokerData).
type BrokerRoute struct {
	Cluster    string          // cluster
	BrokerName string          // brokerName
	Addresses  []BrokerAddress // brokerAddrs; by id when read
	// EnableActingMaster: the member with the smallest id may stand in for a lost master.
	EnableActingMaster bool   // enableActingMaster, since 5.0
	ZoneName           string // zoneName, since 5.0; often ""
}

// BrokerAddress is one entry of BrokerRoute.Addresses.
type BrokerAddress struct {
	ID      int64  // MasterID, or that of a slave
	Address string // ip:port
}

// String shows the brokers of the route.
func (r *Route) String() string {
	names := make([]string, len(r.Queues))
	for i, q := range r.Queues {
		names[i] = q.String()
	}
	return "route to " + strings.Join(names, ", ")
}

// String shows broker name, queues and permissions.
func (q QueueRoute) String() string {
	return fmt.Sprintf("%s r%d w%d %s", q.BrokerName, q.ReadQueues, q.WriteQueues, q.Perm)
}

// String shows name and addresses.
func (b *BrokerRoute) String() string {
	text := b.Cluster + "/" + b.BrokerName
	for _, a := range b.Addresses {
		text += fmt.Sprintf(" %d=%s", a.ID, a.Address)
	}
	return text
}

// Address returns the address of one id.
func (b *BrokerRoute) Address(id int64) (string, bool) {
	for _, a := range b.Addresses {
		if a.ID == id {
			return a.Address, true
		}
	}
	return "", false
}

// Master returns the address of the master.
func (b *BrokerRoute) Master() (string, bool) { return b.Address(MasterID) }

// Broker returns the entry of one broker name, or nil. It points into the route.
func (r *Route) Broker(name string) *BrokerRoute {
	for i := range r.Brokers {
		if r.Brokers[i].BrokerName == name {
			return &r.Brokers[i]
		}
	}
	return nil
}

// Marshal writes the body. RouteForm tells the form that an asker reads.
func (r *Route) Marshal(form Form) []byte {
	w := writer{form: form}
	w.open('{')
	w.key("brokerDatas")
	w.open('[')
	for i := range r.Brokers {
		w.brokerRoute(&r.Brokers[i])
	}
	w.close(']')
	w.key("filterServerTable")
	w.open('{')
	for _, address := range sortedKeys(r.FilterServers) {
		w.stringsMember(address, r.FilterServers[address])
	}
	w.close('}')
	if r.OrderConfig != "" {
		w.stringMember("orderTopicConf", r.OrderConfig)
	}
	w.key("queueDatas")
	w.open('[')
	for i := range r.Queues {
		w.queueRoute(&r.Queues[i])
	}
	w.close(']')
	if len(r.Mappings) > 0 {
		w.mappingsByBroker(r.Mappings)
	}
	w.close('}')
	return w.text
}

func (w *writer) mappingsByBroker(mappings []TopicMapping) {
	w.key("topicQueueMappingByBroker")
	w.open('{')
	for i := range mappings {
		w.key(mappings[i].BrokerName)
		w.mapping(&mappings[i])
	}
	w.close('}')
}

// UnmarshalRoute reads the body in either form. The error is ErrBody.
func UnmarshalRoute(body []byte) (*Route, error) {
	r := new(Route)
	if err := unmarshal("TopicRouteData", body, r); err != nil {
		return nil, err
	}
	return r, nil
}

// UnmarshalJSON reads strict JSON.
func (r *Route) UnmarshalJSON(text []byte) error {
	var in struct {
		OrderTopicConf            looseString              `json:"orderTopicConf"`
		QueueDatas                []QueueRoute             `json:"queueDatas"`
		BrokerDatas               []BrokerRoute            `json:"brokerDatas"`
		FilterServerTable         map[string][]string      `json:"filterServerTable"`
		TopicQueueMappingByBroker map[string]*TopicMapping `json:"topicQueueMappingByBroker"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*r = Route{
		OrderConfig:   string(in.OrderTopicConf),
		Queues:        in.QueueDatas,
		Brokers:       in.BrokerDatas,
		FilterServers: in.FilterServerTable,
		Mappings:      tableValues(in.TopicQueueMappingByBroker),
	}
	return nil
}

// UnmarshalJSON reads strict JSON.
func (q *QueueRoute) UnmarshalJSON(text []byte) error {
	var in struct {
		BrokerName     looseString `json:"brokerName"`
		ReadQueueNums  looseInt32  `json:"readQueueNums"`
		WriteQueueNums looseInt32  `json:"writeQueueNums"`
		Perm           looseInt32  `json:"perm"`
		TopicSysFlag   looseInt32  `json:"topicSysFlag"`
		TopicSynFlag   looseInt32  `json:"topicSynFlag"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*q = QueueRoute{
		BrokerName:  string(in.BrokerName),
		ReadQueues:  int32(in.ReadQueueNums),
		WriteQueues: int32(in.WriteQueueNums),
		Perm:        Perm(in.Perm),
		SysFlags:    TopicSysFlag(in.TopicSysFlag | in.TopicSynFlag),
	}
	return nil
}

// UnmarshalJSON reads strict JSON.
func (b *BrokerRoute) UnmarshalJSON(text []byte) error {
	var in struct {
		Cluster            looseString           `json:"cluster"`
		BrokerName         looseString           `json:"brokerName"`
		BrokerAddrs        map[int64]looseString `json:"brokerAddrs"`
		EnableActingMaster looseBool             `json:"enableActingMaster"`
		ZoneName           looseString           `json:"zoneName"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*b = BrokerRoute{
		Cluster:            string(in.Cluster),
		BrokerName:         string(in.BrokerName),
		Addresses:          sortAddresses(in.BrokerAddrs),
		EnableActingMaster: bool(in.EnableActingMaster),
		ZoneName:           string(in.ZoneName),
	}
	return nil
}

func sortAddresses(table map[int64]looseString) []BrokerAddress {
	var addresses []BrokerAddress
	for _, id := range slices.Sorted(maps.Keys(table)) {
		addresses = append(addresses, BrokerAddress{ID: id, Address: string(table[id])})
	}
	return addresses
}

func (w *writer) queueRoute(q *QueueRoute) {
	w.open('{')
	w.stringMember("brokerName", q.BrokerName)
	w.integerMember("perm", int64(q.Perm))
	w.integerMember("readQueueNums", int64(q.ReadQueues))
	w.integerMember("topicSysFlag", int64(q.SysFlags))
	w.integerMember("writeQueueNums", int64(q.WriteQueues))
	w.close('}')
}

func (w *writer) brokerRoute(b *BrokerRoute) {
	w.open('{')
	w.addresses(b.Addresses)
	w.stringMember("brokerName", b.BrokerName)
	w.stringMember("cluster", b.Cluster)
	w.booleanMember("enableActingMaster", b.EnableActingMaster)
	if b.ZoneName != "" {
		w.stringMember("zoneName", b.ZoneName)
	}
	w.close('}')
}

// addresses writes the member that Go clients cut apart by hand, at each comma and at the
// first colon after it. There must be no blanks in it.
func (w *writer) addresses(addresses []BrokerAddress) {
	w.key("brokerAddrs")
	w.open('{')
	for _, a := range addresses {
		w.numberKey(a.ID)
		w.string(a.Address)
	}
	w.close('}')
}
