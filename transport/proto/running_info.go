package proto

import "fmt"

// Keys of ConsumerRunningInfo.Properties that tools look at. Clients add all their settings.
const (
	RunningNameServers   = "PROP_NAMESERVER_ADDR"
	RunningThreads       = "PROP_THREADPOOL_CORE_SIZE"
	RunningOrdered       = "PROP_CONSUMEORDERLY"           // "true" or "false"
	RunningConsumeType   = "PROP_CONSUME_TYPE"             // ConsumeType by name
	RunningClientVersion = "PROP_CLIENT_VERSION"           // of the release, such as "V5_3_2"
	RunningStartedAt     = "PROP_CONSUMER_START_TIMESTAMP" // wall milliseconds
)

// ConsumerRunningInfo is what a consumer says of itself (class ConsumerRunningInfo): the body of the
// answer to ReqGetConsumerRunningInfo.
type ConsumerRunningInfo struct {
	Properties    map[string]string     // properties; nil and empty are the same
	Subscriptions []SubscriptionData    // subscriptionSet
	Queues        []ProcessQueueInfo    // mqTable; in the order of queues when read, each queue once
	PopQueues     []PopProcessQueueInfo // mqPopTable, since 5.0; likewise
	Rates         []ConsumeRates        // statusTable; by topic when read, each topic once
	UserInfo      map[string]string     // userConsumerInfo, since 5.0; nil and empty are the same
	StackDump     string                // jstack: only if it was asked for
}

// String shows how much there is.
func (i *ConsumerRunningInfo) String() string {
	return fmt.Sprintf("%d subscriptions, %d queues, %d popped", len(i.Subscriptions), len(i.Queues), len(i.PopQueues))
}

// Marshal writes the body.
func (i *ConsumerRunningInfo) Marshal() []byte {
	var w writer
	w.open('{')
	if i.StackDump != "" {
		w.stringMember("jstack", i.StackDump)
	}
	w.popQueues(i.PopQueues)
	w.processQueues(i.Queues)
	w.tableMember("properties", i.Properties)
	w.rates(i.Rates)
	w.key("subscriptionSet")
	w.open('[')
	for n := range i.Subscriptions {
		w.subscription(&i.Subscriptions[n])
	}
	w.close(']')
	w.tableMember("userConsumerInfo", i.UserInfo)
	w.close('}')
	return w.text
}

// UnmarshalConsumerRunningInfo reads the body, with queues as keys in either form. The error
// is ErrBody.
func UnmarshalConsumerRunningInfo(body []byte) (*ConsumerRunningInfo, error) {
	var in struct {
		Properties       looseTable                       `json:"properties"`
		SubscriptionSet  []SubscriptionData               `json:"subscriptionSet"`
		MQTable          map[queueKey]ProcessQueueInfo    `json:"mqTable"`
		MQPopTable       map[queueKey]PopProcessQueueInfo `json:"mqPopTable"`
		StatusTable      map[string]ConsumeRates          `json:"statusTable"`
		UserConsumerInfo looseTable                       `json:"userConsumerInfo"`
		JStack           looseString                      `json:"jstack"`
	}
	if err := unmarshal("ConsumerRunningInfo", body, &in); err != nil {
		return nil, err
	}
	info := &ConsumerRunningInfo{
		Properties:    in.Properties.plain(),
		Subscriptions: in.SubscriptionSet,
		UserInfo:      in.UserConsumerInfo.plain(),
		StackDump:     string(in.JStack),
	}
	for _, key := range sortedQueues(in.MQTable) {
		queue := in.MQTable[key]
		queue.Queue = key.queue
		info.Queues = append(info.Queues, queue)
	}
	for _, key := range sortedQueues(in.MQPopTable) {
		queue := in.MQPopTable[key]
		queue.Queue = key.queue
		info.PopQueues = append(info.PopQueues, queue)
	}
	for _, topic := range sortedKeys(in.StatusTable) {
		rates := in.StatusTable[topic]
		rates.Topic = topic
		info.Rates = append(info.Rates, rates)
	}
	return info, nil
}
