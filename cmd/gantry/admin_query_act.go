package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/spf13/cobra"
)

// action is what to do with the messages that were found, instead of showing them.
type action struct {
	group, clientID string // hand them to this consumer
	resend          bool
}

// add adds the options of handing messages to a consumer.
func (a *action) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&a.group, "consumerGroup", "g", "", "instead of showing it, hand it to a consumer of this `group`; with -d")
	cmd.Flags().StringVarP(&a.clientID, "clientId", "d", "", "hand it to the consumer with this client `id`; with -g")
}

func (a *action) check() error {
	if (a.group == "") != (a.clientID == "") {
		return wrongUsage("-g and -d: a consumer is named by its group and its client id, so give both or neither (see consumerConnection)")
	}
	if a.resend && a.group != "" {
		return wrongUsage("-s true and -g: a message is either sent again, or handed to a consumer")
	}
	return nil
}

// apply does it with each message. That nothing was found is for the caller to say.
func (f *adminFlags) apply(ctx context.Context, s *session, a *action, found []*client.Received) error {
	switch {
	case a.group != "":
		return f.hand(ctx, s, a, found)
	case a.resend:
		return f.resend(ctx, s, found)
	}
	return nil
}

// wanted reports whether there is anything to do but to show.
func (a *action) wanted() bool { return a.group != "" || a.resend }

// hand lets a consumer consume messages now. A message that it does not take is a failure.
func (f *adminFlags) hand(ctx context.Context, s *session, a *action, found []*client.Received) error {
	v := &handedView{Messages: []handedEntry{}}
	var failed []error
	for _, m := range found {
		result, err := s.admin.ConsumeDirectly(ctx, a.group, a.clientID, m.Topic, m.OffsetID)
		if err != nil {
			failed = append(failed, fmt.Errorf("message %s: %w", m.ID(), err))
			continue
		}
		v.Messages = append(v.Messages, handedEntry{m.ID(), result.Result.String(), result.Ordered, !result.ManualCommit, result.SpentMillis, result.Remark})
		if result.Result != proto.ResultSuccess && result.Result != proto.ResultCommit {
			failed = append(failed, fmt.Errorf("message %s: the consumer answered %s %s", m.ID(), result.Result, result.Remark))
		}
	}
	err := errors.Join(failed...)
	if err != nil {
		err = &failure{cause: err, code: exitFailed, advice: "see what the consumer does with consumerStatus -g " + a.group + " -i " + a.clientID}
	}
	return errors.Join(err, f.show(v))
}

// resend sends copies.
func (f *adminFlags) resend(ctx context.Context, s *session, found []*client.Received) error {
	producer, err := s.producer(toolsProducer)
	if err != nil {
		return err
	}
	v := &resentView{Messages: []resentEntry{}}
	var failed []error
	for _, m := range found {
		result, err := producer.Send(ctx, copyOf(m))
		if err != nil {
			failed = append(failed, fmt.Errorf("message %s: %w", m.ID(), err))
			continue
		}
		v.Messages = append(v.Messages, resentEntry{m.ID(), newSentView(&result)})
	}
	return errors.Join(errors.Join(failed...), leave(producer), f.show(v))
}

// keptProperties are those of the protocol that belong to a message wherever it is.
var keptProperties = map[string]bool{
	message.PropertyKeys: true, message.PropertyTags: true, message.PropertyOrderingKey: true,
	message.PropertyOrderingKeyGoClient: true, message.PropertyOrderingKeyNodeClient: true,
}

// copyOf is a message with the body, the flags and the properties that its sender gave it. It gets an id of its own.
func copyOf(m *client.Received) *client.Message {
	again := client.NewMessage(m.Topic, m.Body, client.UserFlags(m.UserFlags))
	for _, p := range m.Properties {
		if keptProperties[p.Name] || !message.ReservedProperty(p.Name) {
			again.Properties = append(again.Properties, p)
		}
	}
	return again
}
