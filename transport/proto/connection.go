package proto

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/gantrymq/gantry/transport/wire"
)

// Connection is one member of a group as a broker sees it (class Connection).
type Connection struct {
	ClientID string        // clientId
	Address  string        // clientAddr, ip:port
	Language wire.Language // language, by name; absent and unknown ones read as wire.LanguageOther
	Version  int32         // version: ordinal of the client's release
}

// String shows who and where it is.
func (c Connection) String() string {
	return fmt.Sprintf("%s at %s, %s version %d", c.ClientID, c.Address, c.Language, c.Version)
}

// UnmarshalJSON reads strict JSON.
func (c *Connection) UnmarshalJSON(text []byte) error {
	in := struct {
		ClientID   looseString   `json:"clientId"`
		ClientAddr looseString   `json:"clientAddr"`
		Language   looseLanguage `json:"language"`
		Version    looseInt32    `json:"version"`
	}{Language: looseLanguage(wire.LanguageOther)}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*c = Connection{
		ClientID: string(in.ClientID),
		Address:  string(in.ClientAddr),
		Language: wire.Language(in.Language),
		Version:  int32(in.Version),
	}
	return nil
}

// looseLanguage reads the name of a language.
type looseLanguage wire.Language

// UnmarshalJSON reads a name; what is no name that is known becomes wire.LanguageOther.
func (l *looseLanguage) UnmarshalJSON(text []byte) error {
	language, _ := wire.ParseLanguage(bytes.Trim(text, `"`))
	*l = looseLanguage(language)
	return nil
}

func (w *writer) connections(connections []Connection) {
	w.key("connectionSet")
	w.open('[')
	for _, c := range connections {
		w.open('{')
		w.stringMember("clientAddr", c.Address)
		w.stringMember("clientId", c.ClientID)
		w.stringMember("language", c.Language.String())
		w.integerMember("version", int64(c.Version))
		w.close('}')
	}
	w.close(']')
}

// ConsumerConnection is the members of a consumer group and what they have in common (class
// ConsumerConnection): the body of the answer to ReqGetConsumerConnectionList.
type ConsumerConnection struct {
	Members       []Connection       // connectionSet; a set, in no order
	Subscriptions []SubscriptionData // subscriptionTable; by topic when read, each topic once
	ConsumeType   ConsumeType        // consumeType
	Model         MessageModel       // messageModel
	From          ConsumeFrom        // consumeFromWhere
}

// String shows the number of members and how they consume.
func (c *ConsumerConnection) String() string {
	return fmt.Sprintf("%d members, %s %s, %d subscriptions", len(c.Members), c.ConsumeType, c.Model, len(c.Subscriptions))
}

// Marshal writes the body. Enumerations that are unknown are left out, as null.
func (c *ConsumerConnection) Marshal() []byte {
	var w writer
	w.open('{')
	w.connections(c.Members)
	w.enumMember("consumeFromWhere", consumeFroms, int8(c.From))
	w.enumMember("consumeType", consumeTypes, int8(c.ConsumeType))
	w.enumMember("messageModel", messageModels, int8(c.Model))
	w.key("subscriptionTable")
	w.open('{')
	for i := range c.Subscriptions {
		w.key(c.Subscriptions[i].Topic)
		w.subscription(&c.Subscriptions[i])
	}
	w.close('}')
	w.close('}')
	return w.text
}

// enumMember leaves out what has no name.
func (w *writer) enumMember(name string, names enumeration, ordinal int8) {
	if ordinal >= 0 {
		w.stringMember(name, names.name(ordinal))
	}
}

// UnmarshalConsumerConnection reads the body. The error is ErrBody.
func UnmarshalConsumerConnection(body []byte) (*ConsumerConnection, error) {
	in := struct {
		ConnectionSet     []Connection                 `json:"connectionSet"`
		SubscriptionTable map[string]*SubscriptionData `json:"subscriptionTable"`
		ConsumeType       ConsumeType                  `json:"consumeType"`
		MessageModel      MessageModel                 `json:"messageModel"`
		ConsumeFromWhere  ConsumeFrom                  `json:"consumeFromWhere"`
	}{ConsumeType: ConsumeUnknown, MessageModel: ModelUnknown, ConsumeFromWhere: FromUnknown}
	if err := unmarshal("ConsumerConnection", body, &in); err != nil {
		return nil, err
	}
	c := &ConsumerConnection{
		Members:     in.ConnectionSet,
		ConsumeType: in.ConsumeType,
		Model:       in.MessageModel,
		From:        in.ConsumeFromWhere,
	}
	for _, topic := range sortedKeys(in.SubscriptionTable) {
		if subscription := in.SubscriptionTable[topic]; subscription != nil {
			// Java goes by the key; the topic inside is a repetition.
			subscription.Topic = topic
			c.Subscriptions = append(c.Subscriptions, *subscription)
		}
	}
	return c, nil
}
