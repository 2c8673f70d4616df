package proto

import "fmt"

// SubscriptionGroupTable is the consumer groups of a broker and their version (class
// SubscriptionGroupWrapper): the body of the answer to ReqGetAllSubscriptionGroupConfig, and the
// file subscriptionGroup.json.
type SubscriptionGroupTable struct {
	Version   DataVersion               // dataVersion
	Groups    []SubscriptionGroupConfig // subscriptionGroupTable; by name when read, each name once
	Forbidden []ForbiddenPerm           // forbiddenTable, since 5.0; by group and topic when read, each pair once
}

// ForbiddenPerm is one entry of SubscriptionGroupTable.Forbidden: what a group may not do
// with a topic.
type ForbiddenPerm struct {
	Group, Topic string
	Perm         Perm // permissions that are taken away, whatever the topic says
}

// String shows the version and the number of groups.
func (t *SubscriptionGroupTable) String() string {
	return fmt.Sprintf("%d groups, %s", len(t.Groups), t.Version)
}

// Marshal writes the table as JSON, groups in their order. Entries of Forbidden that belong to one
// group must be neighbours.
func (t *SubscriptionGroupTable) Marshal() []byte {
	var w writer
	w.open('{')
	w.key("dataVersion")
	w.dataVersion(t.Version)
	w.forbidden(t.Forbidden)
	w.key("subscriptionGroupTable")
	w.open('{')
	for i := range t.Groups {
		w.key(t.Groups[i].Name)
		w.groupConfig(&t.Groups[i])
	}
	w.close('}')
	w.close('}')
	return w.text
}

func (w *writer) forbidden(topics []ForbiddenPerm) {
	w.key("forbiddenTable")
	w.open('{')
	for i, f := range topics {
		if i == 0 || topics[i-1].Group != f.Group {
			w.key(f.Group)
			w.open('{')
		}
		w.integerMember(f.Topic, int64(f.Perm))
		if i == len(topics)-1 || topics[i+1].Group != f.Group {
			w.close('}')
		}
	}
	w.close('}')
}

// UnmarshalSubscriptionGroupTable reads what Marshal and Java peers write. The error is ErrBody.
func UnmarshalSubscriptionGroupTable(body []byte) (*SubscriptionGroupTable, error) {
	var in struct {
		DataVersion            DataVersion                         `json:"dataVersion"`
		SubscriptionGroupTable map[string]*SubscriptionGroupConfig `json:"subscriptionGroupTable"`
		ForbiddenTable         map[string]map[string]looseInt32    `json:"forbiddenTable"`
	}
	if err := unmarshal("SubscriptionGroupWrapper", body, &in); err != nil {
		return nil, err
	}
	t := &SubscriptionGroupTable{Version: in.DataVersion}
	for _, name := range sortedKeys(in.SubscriptionGroupTable) {
		if group := in.SubscriptionGroupTable[name]; group != nil {
			// Java goes by the key; the name inside is a repetition.
			group.Name = name
			t.Groups = append(t.Groups, *group)
		}
	}
	for _, group := range sortedKeys(in.ForbiddenTable) {
		for _, topic := range sortedKeys(in.ForbiddenTable[group]) {
			t.Forbidden = append(t.Forbidden, ForbiddenPerm{Group: group, Topic: topic, Perm: Perm(in.ForbiddenTable[group][topic])})
		}
	}
	return t, nil
}
