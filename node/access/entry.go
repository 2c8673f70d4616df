package access

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/transport/proto"
)

// Entry allows something or denies it (class PolicyEntry).
type Entry struct {
	Resource Resource
	Actions  Actions        // at least one
	Sources  []netip.Prefix // from where; none is everywhere
	Deny     bool
}

// String is one line, such as
//
//	Topic:orders Pub,Sub from 10.0.0.0/8 Allow
func (e *Entry) String() string {
	text := e.Resource.String() + " " + e.Actions.String()
	if len(e.Sources) > 0 {
		text += " from " + strings.Join(e.sourceTexts(), ",")
	}
	if e.Deny {
		return text + " " + proto.DecisionDeny
	}
	return text + " " + proto.DecisionAllow
}

func (e *Entry) sourceTexts() []string {
	var texts []string
	for _, source := range e.Sources {
		if source.IsSingleIP() {
			texts = append(texts, source.Addr().String())
		} else {
			texts = append(texts, source.String())
		}
	}
	return texts
}

// matches reports whether the entry is about a need from an address. One of the actions of a need is enough.
func (e *Entry) matches(need Need, source netip.Addr) bool {
	return e.Resource.covers(need.Resource) && (e.Actions&(need.Actions|ActionAll) != 0) && e.isFrom(source)
}

func (e *Entry) isFrom(source netip.Addr) bool {
	return len(e.Sources) == 0 || slices.ContainsFunc(e.Sources, func(p netip.Prefix) bool { return p.Contains(source) })
}

// ParseEntry reads an entry as requests have it. Errors begin with the field that is wrong.
func ParseEntry(info proto.PolicyEntryInfo) (Entry, error) {
	resource, err := ParseResource(info.Resource)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Resource: resource}
	if e.Actions, err = ParseActions(info.Actions); err != nil {
		return Entry{}, fmt.Errorf("%s: %w", resource, err)
	}
	for _, text := range info.Sources {
		source, err := parseSource(strings.TrimSpace(text))
		if err != nil {
			return Entry{}, fmt.Errorf("%s: %w", resource, err)
		}
		e.Sources = append(e.Sources, source)
	}
	switch {
	case strings.EqualFold(info.Decision, proto.DecisionDeny):
		e.Deny = true
	case !strings.EqualFold(info.Decision, proto.DecisionAllow):
		return Entry{}, fmt.Errorf("%s: decision: %q is neither %s nor %s", resource, info.Decision, proto.DecisionAllow, proto.DecisionDeny)
	}
	return e, nil
}

// parseSource reads an address, or a range as 10.0.0.0/8.
func parseSource(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("sourceIps: %q is neither an IP address nor a range such as 10.0.0.0/8", text)
	}
	return prefix.Masked(), nil
}

// Info is the entry as answers have it.
func (e *Entry) Info() proto.PolicyEntryInfo {
	decision := proto.DecisionAllow
	if e.Deny {
		decision = proto.DecisionDeny
	}
	return proto.PolicyEntryInfo{Resource: e.Resource.String(), Actions: e.Actions.Names(), Sources: e.sourceTexts(), Decision: decision}
}
