package controller

import (
	"fmt"
	"strconv"
	"strings"
)

// Settings may be changed while the controller runs, by ReqUpdateControllerConfig. The zero value means the protocol's defaults; therefore
// one switch says "No". Each controller has its own: tools change them at all of them.
type Settings struct {
	// ElectUnclean makes a member master that may lack messages, if nobody of the in-sync set is alive ("enableElectUncleanMaster", false).
	ElectUnclean bool
	// NoNotify leaves out telling brokers of elections (opposite of "notifyBrokerRoleChanged", true). They learn of them with their heartbeats.
	NoNotify bool
}

// setting ties a field of Settings to its key in configuration texts.
type setting struct {
	key      string
	opposite bool // the field means the contrary of the key
	field    func(*Settings) *bool
}

// settings are in the order of their keys.
var settings = []setting{
	{"enableElectUncleanMaster", false, func(s *Settings) *bool { return &s.ElectUnclean }},
	{"notifyBrokerRoleChanged", true, func(s *Settings) *bool { return &s.NoNotify }},
}

func findSetting(key string) *setting {
	for i := range settings {
		if settings[i].key == key {
			return &settings[i]
		}
	}
	return nil
}

func (s *setting) get(of *Settings) string { return strconv.FormatBool(*s.field(of) != s.opposite) }

func (s *setting) set(of *Settings, text string) error {
	on := strings.EqualFold(text, "true")
	if !on && !strings.EqualFold(text, "false") {
		return fmt.Errorf("%q: write true or false", text)
	}
	*s.field(of) = on != s.opposite
	return nil
}
