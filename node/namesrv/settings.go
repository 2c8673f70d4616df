package namesrv

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Settings may be changed while the name server runs, by ReqUpdateNameServerConfig. The zero
// value means the protocol's defaults; therefore some switches say "No".
type Settings struct {
	// OrderInRoutes puts the order config of a topic into its route ("orderMessageEnable", false).
	OrderInRoutes bool
	// NoOrderToBrokers leaves the order config out of answers to registrations
	// (opposite of "returnOrderTopicConfigToBroker", true).
	NoOrderToBrokers bool
	// ActingMasters shows the smallest slave of a group that allows it as master while there is
	// none ("supportActingMaster", false).
	ActingMasters bool
	// NotifyMinBrokerID tells the members of a group when its smallest id changes
	// ("notifyMinBrokerIdChanged", false).
	NotifyMinBrokerID bool
	// DropMissingTopics makes a full registration remove the topics it does not name
	// ("deleteTopicWithBrokerRegistration", false). Not for brokers that split registrations.
	DropMissingTopics bool
	// NoAllTopicList refuses the list of all topics (opposite of "enableAllTopicList", true).
	NoAllTopicList bool
	// NoTopicLists refuses the lists of some topics (opposite of "enableTopicList", true).
	NoTopicLists bool
	// HoldRoutes answers "not ready" to route queries for HoldRoutesFor after the start, so that
	// brokers can register first ("needWaitForService", false).
	HoldRoutes bool
	// HoldRoutesFor is in whole seconds on the wire ("waitSecondsForService"); 0 means 45 s.
	HoldRoutesFor time.Duration
	// ScanEvery is how often silent brokers are looked for, in whole milliseconds on the wire
	// ("scanNotActiveBrokerInterval"); 0 means 5 s.
	ScanEvery time.Duration
}

func (s Settings) withDefaults() Settings {
	if s.HoldRoutesFor <= 0 {
		s.HoldRoutesFor = 45 * time.Second
	}
	if s.ScanEvery <= 0 {
		s.ScanEvery = 5 * time.Second
	}
	return s
}

// setting ties a field of Settings to its key in configuration texts.
type setting struct {
	key string
	get func(*Settings) string
	set func(*Settings, string) error
}

// settings are in the order of their keys.
var settings = []setting{
	flag("deleteTopicWithBrokerRegistration", false, func(s *Settings) *bool { return &s.DropMissingTopics }),
	flag("enableAllTopicList", true, func(s *Settings) *bool { return &s.NoAllTopicList }),
	flag("enableTopicList", true, func(s *Settings) *bool { return &s.NoTopicLists }),
	flag("needWaitForService", false, func(s *Settings) *bool { return &s.HoldRoutes }),
	flag("notifyMinBrokerIdChanged", false, func(s *Settings) *bool { return &s.NotifyMinBrokerID }),
	flag("orderMessageEnable", false, func(s *Settings) *bool { return &s.OrderInRoutes }),
	flag("returnOrderTopicConfigToBroker", true, func(s *Settings) *bool { return &s.NoOrderToBrokers }),
	interval("scanNotActiveBrokerInterval", time.Millisecond, func(s *Settings) *time.Duration { return &s.ScanEvery }),
	flag("supportActingMaster", false, func(s *Settings) *bool { return &s.ActingMasters }),
	interval("waitSecondsForService", time.Second, func(s *Settings) *time.Duration { return &s.HoldRoutesFor }),
}

func findSetting(key string) *setting {
	for i := range settings {
		if settings[i].key == key {
			return &settings[i]
		}
	}
	return nil
}

// flag is a switch; opposite says that the field means the contrary of the key.
func flag(key string, opposite bool, field func(*Settings) *bool) setting {
	return setting{
		key: key,
		get: func(s *Settings) string { return strconv.FormatBool(*field(s) != opposite) },
		set: func(s *Settings, text string) error {
			on := strings.EqualFold(text, "true")
			if !on && !strings.EqualFold(text, "false") {
				return fmt.Errorf("%q: write true or false", text)
			}
			*field(s) = on != opposite
			return nil
		},
	}
}

func interval(key string, unit time.Duration, field func(*Settings) *time.Duration) setting {
	return setting{
		key: key,
		get: func(s *Settings) string { return strconv.FormatInt(int64(*field(s)/unit), 10) },
		set: func(s *Settings, text string) error {
			value, err := parseDuration(text, unit)
			if err == nil {
				*field(s) = value
			}
			return err
		},
	}
}
