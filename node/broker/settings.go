package broker

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// SaveSettings makes changes of settings outlive the broker. It runs without the baton, and may wait. A note, such as that they will not last,
// is shown to whoever made the changes. After an error the broker goes on with the settings that it had.
type SaveSettings func(changes proto.ConfigText) (note string, err error)

// liveSettings are those that can be changed while the broker runs. Each use of them reads the options.
var liveSettings = map[string]func(o *Options, value string) error{
	"brokerPermission": func(o *Options, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n != int(proto.PermRead) && n != int(proto.PermWrite) && n != int(proto.PermReadWrite) {
			return fmt.Errorf("%q: want 2 (write), 4 (read) or 6 (both)", value)
		}
		o.Perm = proto.Perm(n)
		return nil
	},
	"autoCreateTopicEnable":             notFlag(func(o *Options) *bool { return &o.NoAutoTopics }),
	"autoCreateSubscriptionGroup":       notFlag(func(o *Options) *bool { return &o.NoAutoGroups }),
	"longPollingEnable":                 notFlag(func(o *Options) *bool { return &o.NoLongPolling }),
	"enablePropertyFilter":              notFlag(func(o *Options) *bool { return &o.NoPropertyFilter }),
	"storeReplyMessageEnable":           notFlag(func(o *Options) *bool { return &o.NoReplyStore }),
	"serverLoadBalancerEnable":          notFlag(func(o *Options) *bool { return &o.NoServerBalance }),
	"loadBalancePollNameServerInterval": millis(func(o *Options) *time.Duration { return &o.RoutesFor }, time.Millisecond, time.Hour),
	"slaveReadEnable":                   flag(func(o *Options) *bool { return &o.SlaveRead }),
	"shortPollingTimeMills":             millis(func(o *Options) *time.Duration { return &o.ShortPollingFor }, time.Millisecond, time.Hour),
	"flushConsumerOffsetInterval":       millis(func(o *Options) *time.Duration { return &o.SaveOffsetsEvery }, time.Millisecond, time.Hour),
	"channelExpiredTimeout":             millis(func(o *Options) *time.Duration { return &o.ClientTimeout }, time.Second, 24*time.Hour),
	"lockMaxLiveTime":                   millis(func(o *Options) *time.Duration { return &o.QueueLockFor }, time.Second, time.Hour),
	"registerNameServerPeriod":          millis(func(o *Options) *time.Duration { return &o.RegisterEvery }, 10*time.Second, time.Minute),
	"registerBrokerTimeoutMills":        millis(func(o *Options) *time.Duration { return &o.RegisterTimeout }, 100*time.Millisecond, 10*time.Minute),
	"maxTransferBytesOnMessageInMemory": count(func(o *Options) *int { return &o.PullBytesMax }, 1024, 16_000_000),
	"maxTransferCountOnMessageInMemory": count(func(o *Options) *int { return &o.PullMessagesMax }, 1, 100_000),
	"regionId": func(o *Options, value string) error {
		if value == "" {
			return errors.New("it is empty")
		}
		o.Region = value
		return nil
	},
}

func flag(of func(*Options) *bool) func(*Options, string) error {
	return func(o *Options, value string) error {
		switch strings.ToLower(value) {
		case "true", "false":
			*of(o) = strings.EqualFold(value, "true")
			return nil
		}
		return fmt.Errorf("%q is neither true nor false", value)
	}
}

// notFlag is for fields that say that something is off.
func notFlag(of func(*Options) *bool) func(*Options, string) error {
	set := flag(of)
	return func(o *Options, value string) error {
		if err := set(o, value); err != nil {
			return err
		}
		*of(o) = !*of(o)
		return nil
	}
}

func millis(of func(*Options) *time.Duration, least, most time.Duration) func(*Options, string) error {
	return func(o *Options, value string) error {
		n, err := whole(value, least.Milliseconds(), most.Milliseconds())
		if err == nil {
			*of(o) = time.Duration(n) * time.Millisecond
		}
		return err
	}
}

func count(of func(*Options) *int, least, most int64) func(*Options, string) error {
	return func(o *Options, value string) error {
		n, err := whole(value, least, most)
		if err == nil {
			*of(o) = int(n)
		}
		return err
	}
}

func whole(value string, least, most int64) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%q is not a whole number from %d to %d", value, least, most)
	}
	return n, nil
}

// protectedSettings may be changed by nobody who is not on the machine (configBlackList).
var protectedSettings = []string{"brokerConfigPath", "rocketmqHome", "configBlackList"}

// updateConfig handles UPDATE_BROKER_CONFIG: all of the changes or none. Java brokers take every key and go on as before with those
// that they read only when they start; here such a key is refused, unless it asks for what is in force.
//
// Answers: success, when the changes are saved, with what there is to say about them; no permission; invalid parameter; system error.
func (b *Broker) updateConfig(in *transport.Incoming) {
	asked, err := proto.ParseConfigText(in.Command.Body)
	if err != nil {
		in.Reply().Error(proto.RespSystemError, err.Error())
		return
	}
	var note string
	var r refusal
	b.await(in, func() {
		b.configuring.Acquire(nil, env.Never)
		defer b.configuring.Release()
		note, r = b.configure(asked)
	})
	if r.code != 0 {
		in.Reply().Error(r.code, r.remark)
		return
	}
	in.Reply().SendFields(proto.RespSuccess, note, nil, nil, nil)
}

// configure changes settings. It waits; the caller has them to itself.
func (b *Broker) configure(asked proto.ConfigText) (note string, r refusal) {
	changes, r := b.admitSettings(asked)
	if r.code != 0 || len(changes) == 0 {
		return "", r
	}
	if note, r = b.saveSettings(changes); r.code != 0 {
		return "", r
	}
	for _, change := range changes {
		// It was admitted.
		_ = liveSettings[change.Key](&b.options, change.Value)
		b.env.Log.Info("a setting was changed", zap.String("key", change.Key), zap.String("value", change.Value))
	}
	b.options.Settings = withSettings(b.options.Settings, changes)
	b.names.changed()
	if automatic, changed := changes.Get("autoCreateTopicEnable"); changed {
		if err := b.inheritFromDefault(strings.EqualFold(automatic, "true")); err != nil {
			return "", refused(proto.RespSystemError, "the settings are in force, but autoCreateTopicEnable is not yet: %v", err)
		}
	}
	return note, refusal{}
}

// admitSettings leaves out what is in force already, and refuses what cannot be.
func (b *Broker) admitSettings(asked proto.ConfigText) (changes proto.ConfigText, r refusal) {
	inForce, next := b.settings(), b.options
	for _, entry := range asked {
		if slices.Contains(protectedSettings, entry.Key) {
			return nil, refused(proto.RespNoPermission, "%s cannot be changed from afar", entry.Key)
		}
		value, known := inForce.Get(entry.Key)
		set := liveSettings[entry.Key]
		switch {
		case known && value == entry.Value:
			continue
		case set == nil && known:
			return nil, refused(proto.RespInvalidParameter, "%s is read only when the broker starts: change it in the configuration file and start the broker again", entry.Key)
		case set == nil:
			return nil, refused(proto.RespInvalidParameter, "%s is not a key of this broker", entry.Key)
		}
		if err := set(&next, entry.Value); err != nil {
			return nil, refused(proto.RespInvalidParameter, "%s: %v", entry.Key, err)
		}
		changes = withSettings(changes, proto.ConfigText{entry})
	}
	return changes, refusal{}
}

func (b *Broker) saveSettings(changes proto.ConfigText) (note string, r refusal) {
	save := b.options.SaveSettings
	if save == nil {
		return "in force until the broker stops: it has no configuration file", refusal{}
	}
	var err error
	b.env.Tasks.Offload(func() { note, err = save(changes) })
	if err != nil {
		return "", refused(proto.RespInvalidParameter, "the settings are as they were: %v", err)
	}
	return note, refusal{}
}

// withSettings is a text in which changes have replaced what was said of their keys.
func withSettings(text, changes proto.ConfigText) proto.ConfigText {
	next := slices.Clone(text)
	for _, change := range changes {
		i := slices.IndexFunc(next, func(e proto.ConfigEntry) bool { return e.Key == change.Key })
		if i < 0 {
			next = append(next, change)
		} else {
			next[i] = change
		}
	}
	return next
}

// inheritFromDefault lets topics be made after the default one, or not, durably. It waits.
func (b *Broker) inheritFromDefault(automatic bool) error {
	if b.topics.byName[proto.DefaultTopic] == nil && !automatic {
		return nil
	}
	return b.topics.update(proto.DefaultTopic, func(old *proto.TopicConfig) (proto.TopicConfig, error) {
		topic := proto.NewTopicConfig(proto.DefaultTopic)
		topic.ReadQueues, topic.WriteQueues = b.options.DefaultTopicQueues, b.options.DefaultTopicQueues
		if old != nil {
			topic = old.Clone()
		}
		topic.Perm &^= proto.PermInherit
		if automatic {
			topic.Perm |= proto.PermInherit
		}
		return topic, nil
	})
}

// settings are those in force.
func (b *Broker) settings() proto.ConfigText {
	text := b.ownSettings()
	for _, entry := range b.options.Settings {
		if _, known := text.Get(entry.Key); !known {
			text = append(text, entry)
		}
	}
	return text
}
