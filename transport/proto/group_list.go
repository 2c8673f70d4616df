package proto

import "fmt"

// GroupList is the groups that consume a topic (class GroupList): the body of the answer to
// ReqQueryTopicConsumeByWho.
type GroupList struct {
	Groups []string // groupList; a set, in no order
}

// String shows the number of groups.
func (l *GroupList) String() string { return fmt.Sprintf("%d groups", len(l.Groups)) }

// Marshal writes the body.
func (l *GroupList) Marshal() []byte {
	var w writer
	w.open('{')
	w.stringsMember("groupList", l.Groups)
	w.close('}')
	return w.text
}

// UnmarshalGroupList reads the body. The error is ErrBody.
func UnmarshalGroupList(body []byte) (*GroupList, error) {
	var in struct {
		GroupList []string `json:"groupList"`
	}
	if err := unmarshal("GroupList", body, &in); err != nil {
		return nil, err
	}
	return &GroupList{Groups: in.GroupList}, nil
}
