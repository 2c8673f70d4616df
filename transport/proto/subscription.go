package proto

import (
	"encoding/json"
	"fmt"
)

// Types of filter expressions (class ExpressionType).
const (
	ExpressionTag = "TAG"
	ExpressionSQL = "SQL92"
)

// SubscribeAll is the expression that takes every message (SUB_ALL).
const SubscribeAll = "*"

// SubscriptionData is what one group wants of one topic (class SubscriptionData).
type SubscriptionData struct {
	Topic          string   // topic
	Expression     string   // subString: "*", "TagA || TagB", or SQL
	ExpressionType string   // expressionType; absent reads as ExpressionTag
	Tags           []string // tagsSet; empty for "*"
	TagHashes      []int32  // codeSet: TagHash of each of Tags
	// Version (subVersion) grows with each change of the subscription. Java counts in
	// milliseconds, Go in nanoseconds, so only versions of one client compare.
	Version         int64
	ClassFilterMode bool // classFilterMode: historical
}

// String shows what is subscribed.
func (s *SubscriptionData) String() string {
	return fmt.Sprintf("%s %s %q version %d", s.Topic, s.ExpressionType, s.Expression, s.Version)
}

// UnmarshalJSON reads strict JSON with the liberties that clients take: hashes and versions
// as strings, sets that are null or absent, no type.
func (s *SubscriptionData) UnmarshalJSON(text []byte) error {
	in := struct {
		Topic           looseString   `json:"topic"`
		SubString       looseString   `json:"subString"`
		ExpressionType  looseString   `json:"expressionType"`
		TagsSet         []looseString `json:"tagsSet"`
		CodeSet         []looseInt32  `json:"codeSet"`
		SubVersion      looseInt64    `json:"subVersion"`
		ClassFilterMode looseBool     `json:"classFilterMode"`
	}{}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*s = SubscriptionData{
		Topic:           string(in.Topic),
		Expression:      string(in.SubString),
		ExpressionType:  string(in.ExpressionType),
		Version:         int64(in.SubVersion),
		ClassFilterMode: bool(in.ClassFilterMode),
	}
	if s.ExpressionType == "" {
		s.ExpressionType = ExpressionTag
	}
	for _, tag := range in.TagsSet {
		s.Tags = append(s.Tags, string(tag))
	}
	for _, code := range in.CodeSet {
		s.TagHashes = append(s.TagHashes, int32(code))
	}
	return nil
}

func (w *writer) subscription(s *SubscriptionData) {
	w.open('{')
	w.booleanMember("classFilterMode", s.ClassFilterMode)
	w.key("codeSet")
	w.open('[')
	for _, hash := range s.TagHashes {
		w.integer(int64(hash))
	}
	w.close(']')
	w.stringMember("expressionType", s.ExpressionType)
	w.stringMember("subString", s.Expression)
	w.integerMember("subVersion", s.Version)
	w.stringsMember("tagsSet", s.Tags)
	w.stringMember("topic", s.Topic)
	w.close('}')
}
