package proto

import "fmt"

// ConsumeStatsList tells how far all groups of a broker are behind (class ConsumeStatsList): the
// body of the answer to ReqGetBrokerConsumeStats.
type ConsumeStatsList struct {
	BrokerAddress string              // brokerAddr, ip:port
	Groups        []GroupConsumeStats // consumeStatsList
	Behind        int64               // totalDiff: messages of all groups that are not consumed
	InFlight      int64               // totalInflightDiff, since 5.0: of these, the pulled ones
}

// GroupConsumeStats is one entry of ConsumeStatsList.Groups, in JSON an object with the
// group as its only key.
type GroupConsumeStats struct {
	Group string
	Stats []ConsumeStats // one for each topic
}

// String shows the number of groups and how much is left.
func (l *ConsumeStatsList) String() string {
	return fmt.Sprintf("%d groups at %s, %d behind", len(l.Groups), l.BrokerAddress, l.Behind)
}

// Marshal writes the body. All tools read FormFastJSON, those from 4.7.1 on also FormStrict.
func (l *ConsumeStatsList) Marshal(form Form) []byte {
	w := writer{form: form}
	w.open('{')
	w.stringMember("brokerAddr", l.BrokerAddress)
	w.key("consumeStatsList")
	w.open('[')
	for _, group := range l.Groups {
		w.open('{')
		w.key(group.Group)
		w.open('[')
		for i := range group.Stats {
			w.consumeStats(&group.Stats[i])
		}
		w.close(']')
		w.close('}')
	}
	w.close(']')
	w.integerMember("totalDiff", l.Behind)
	w.integerMember("totalInflightDiff", l.InFlight)
	w.close('}')
	return w.text
}

// UnmarshalConsumeStatsList reads the body in either form. The error is ErrBody.
func UnmarshalConsumeStatsList(body []byte) (*ConsumeStatsList, error) {
	var in struct {
		BrokerAddr        looseString                 `json:"brokerAddr"`
		ConsumeStatsList  []map[string][]ConsumeStats `json:"consumeStatsList"`
		TotalDiff         looseInt64                  `json:"totalDiff"`
		TotalInflightDiff looseInt64                  `json:"totalInflightDiff"`
	}
	if err := unmarshal("ConsumeStatsList", body, &in); err != nil {
		return nil, err
	}
	l := &ConsumeStatsList{
		BrokerAddress: string(in.BrokerAddr),
		Behind:        int64(in.TotalDiff),
		InFlight:      int64(in.TotalInflightDiff),
	}
	for _, table := range in.ConsumeStatsList {
		for _, group := range sortedKeys(table) {
			l.Groups = append(l.Groups, GroupConsumeStats{Group: group, Stats: table[group]})
		}
	}
	return l, nil
}
