package access

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// addressRule is one of the addresses that need no signature (class RemoteAddressStrategy): ranges of each part of an address, 4 parts of a byte or 8
// of 16 bits.
type addressRule struct {
	any    bool
	parts  [][2]uint16 // least and greatest value; nil if prefix is set
	prefix netip.Prefix
}

// addressAlternatives bounds "{1,2,3}".
const addressAlternatives = 1024

// parseAddressRules reads what plain_acl.yml may have for an address: nothing; "*"; one address; several, joined by commas; several last parts as in
// 10.0.0.{1,2}; parts that are * or a range as in 10.0.1-8.*; and, which Java does not know, 10.0.0.0/8.
func parseAddressRules(text string) ([]addressRule, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return nil, nil
	case text == "*":
		return []addressRule{{any: true}}, nil
	case strings.HasSuffix(text, "}"):
		return parseAlternatives(text)
	}
	var rules []addressRule
	for part := range strings.SplitSeq(text, ",") {
		rule, err := parseAddressRule(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// parseAlternatives reads 10.0.0.{1,2}.
func parseAlternatives(text string) ([]addressRule, error) {
	beginning, list, found := strings.Cut(strings.TrimSuffix(text, "}"), "{")
	last := strings.Split(list, ",")
	if !found || !strings.HasSuffix(beginning, ".") && !strings.HasSuffix(beginning, ":") || len(last) > addressAlternatives {
		return nil, fmt.Errorf("address %q: braces may only hold the last part, as in 10.0.0.{1,2}", text)
	}
	var rules []addressRule
	for _, part := range last {
		rule, err := parseAddressRule(beginning + strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

func parseAddressRule(text string) (addressRule, error) {
	if prefix, err := parseSource(text); err == nil {
		return addressRule{prefix: prefix}, nil
	}
	count, base, greatest := 4, 10, uint64(255)
	words := strings.Split(text, ".")
	if strings.Contains(text, ":") {
		count, base, greatest = 8, 16, 0xffff
		words = strings.Split(widened(text), ":")
	}
	if len(words) != count {
		return addressRule{}, fmt.Errorf("address %q is none, nor a pattern of %d parts", text, count)
	}
	rule := addressRule{}
	for _, word := range words {
		part, err := parsePart(strings.TrimSpace(word), base, greatest)
		if err != nil {
			return addressRule{}, fmt.Errorf("address %q: %w", text, err)
		}
		rule.parts = append(rule.parts, part)
	}
	return rule, nil
}

// widened fills in the parts that :: stands for.
func widened(text string) string {
	before, after, found := strings.Cut(text, "::")
	if !found {
		return text
	}
	count := func(s string) int {
		if s == "" {
			return 0
		}
		return strings.Count(s, ":") + 1
	}
	words := make([]string, 0, 8)
	if before != "" {
		words = append(words, before)
	}
	for range max(0, 8-count(before)-count(after)) {
		words = append(words, "0")
	}
	if after != "" {
		words = append(words, after)
	}
	return strings.Join(words, ":")
}

func parsePart(word string, base int, greatest uint64) ([2]uint16, error) {
	if word == "*" {
		return [2]uint16{0, uint16(greatest)}, nil
	}
	from, to, isRange := strings.Cut(word, "-")
	if !isRange {
		to = from
	}
	low, err := strconv.ParseUint(strings.TrimSpace(from), base, 16)
	if err == nil {
		var high uint64
		if high, err = strconv.ParseUint(strings.TrimSpace(to), base, 16); err == nil && low <= high && high <= greatest {
			return [2]uint16{uint16(low), uint16(high)}, nil
		}
	}
	return [2]uint16{}, fmt.Errorf("%q is neither a number up to %d, nor a range as 1-8, nor *", word, greatest)
}

func (r addressRule) matches(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	switch {
	case r.any:
		return true
	case r.parts == nil:
		return r.prefix.Contains(address)
	case address.Is4() != (len(r.parts) == 4) || !address.IsValid():
		return false
	}
	bytes := address.AsSlice()
	for i, part := range r.parts {
		value := uint16(0)
		if len(r.parts) == 4 {
			value = uint16(bytes[i])
		} else {
			value = uint16(bytes[2*i])<<8 | uint16(bytes[2*i+1])
		}
		if value < part[0] || value > part[1] {
			return false
		}
	}
	return true
}

func matchesAnyRule(rules []addressRule, address netip.Addr) bool {
	for _, rule := range rules {
		if rule.matches(address) {
			return true
		}
	}
	return false
}
