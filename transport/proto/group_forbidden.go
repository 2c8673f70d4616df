package proto

import "fmt"

// GroupForbidden is the body of the answer to ReqUpdateAndGetGroupForbidden (class GroupForbidden, since
// 5.0): whether a group may read a topic.
type GroupForbidden struct {
	Group    string // group
	Topic    string // topic
	Readable bool   // readable
}

// String says whether it may.
func (f *GroupForbidden) String() string {
	if f.Readable {
		return fmt.Sprintf("%s may read %s", f.Group, f.Topic)
	}
	return fmt.Sprintf("%s may not read %s", f.Group, f.Topic)
}

// Marshal writes the body.
func (f *GroupForbidden) Marshal() []byte {
	var w writer
	w.open('{')
	w.stringMember("group", f.Group)
	w.booleanMember("readable", f.Readable)
	w.stringMember("topic", f.Topic)
	w.close('}')
	return w.text
}

// UnmarshalGroupForbidden reads the body. The error is ErrBody.
func UnmarshalGroupForbidden(body []byte) (*GroupForbidden, error) {
	in := struct {
		Group    looseString `json:"group"`
		Topic    looseString `json:"topic"`
		Readable looseBool   `json:"readable"`
	}{Readable: true}
	if err := unmarshal("GroupForbidden", body, &in); err != nil {
		return nil, err
	}
	return &GroupForbidden{Group: string(in.Group), Topic: string(in.Topic), Readable: bool(in.Readable)}, nil
}
