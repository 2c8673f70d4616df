package commandline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// reading is how one word is understood: switches, then at most one option with a value.
type reading struct {
	options  []Option
	value    string // of the last option
	hasValue bool
}

// read finds what a word that begins with a dash means. The error is a *UsageError without
// the command's path.
func (c *Command) read(word string) (reading, error) {
	if long, ok := strings.CutPrefix(word, "--"); ok {
		name, value, hasValue := strings.Cut(long, "=")
		return c.readLong(word, name, value, hasValue)
	}
	name, value, hasValue := strings.Cut(word[1:], "=")
	if option, ok := c.byShort(name); ok {
		return reading{[]Option{option}, value, hasValue}, nil
	}
	if len(c.byLong(name)) > 0 {
		return c.readLong(word, name, value, hasValue)
	}
	if option, attached, ok := c.readAttached(word[1:]); ok {
		return reading{[]Option{option}, attached, true}, nil
	}
	return c.readJoined(word)
}

func (c *Command) readLong(word, name, value string, hasValue bool) (reading, error) {
	switch found := c.byLong(name); len(found) {
	case 0:
		return reading{}, c.unknown(word)
	case 1:
		return reading{found, value, hasValue}, nil
	default:
		return reading{}, &UsageError{Problem: fmt.Sprintf("option %s can mean %s", word, join(found)), Advice: "write more of its name"}
	}
}

func (c *Command) byShort(name string) (Option, bool) {
	for _, option := range c.Options {
		if option.Short != "" && option.Short == name {
			return option, true
		}
	}
	return Option{}, false
}

// byLong returns the option of that name, or else all whose names begin with it.
func (c *Command) byLong(name string) []Option {
	if name == "" {
		return nil
	}
	var found []Option
	for _, option := range c.Options {
		if option.Long == name {
			return []Option{option}
		}
		if strings.HasPrefix(option.Long, name) {
			found = append(found, option)
		}
	}
	return found
}

// readAttached reads a long name with its value behind it: -topicOrders. Of several the longest
// name wins.
func (c *Command) readAttached(text string) (found Option, value string, ok bool) {
	for _, option := range c.Options {
		longer := len(option.Long) > len(found.Long) && len(option.Long) > 1
		if longer && !option.Switch && len(text) > len(option.Long) && strings.HasPrefix(text, option.Long) {
			found, value, ok = option, text[len(option.Long):], true
		}
	}
	return found, value, ok
}

// readJoined reads short names of one letter run together: -lc, and -torders where the rest
// is the value.
func (c *Command) readJoined(word string) (reading, error) {
	var r reading
	for at, letter := range word[1:] {
		option, ok := c.byShort(string(letter))
		if !ok {
			return reading{}, c.unknown(word)
		}
		r.options = append(r.options, option)
		if rest := word[1+at+len(string(letter)):]; !option.Switch && rest != "" {
			r.value, r.hasValue = rest, true
			return r, nil
		}
	}
	return r, nil
}

func (c *Command) unknown(word string) error {
	name, _, _ := strings.Cut(word, "=")
	err := &UsageError{Problem: "there is no option " + name}
	if nearest := Nearest("--"+strings.TrimLeft(name, "-"), c.longNames()); nearest != "" {
		err.Advice = "did you mean " + nearest + "?"
	}
	return err
}

// looksLikeOption reports whether a word in the place of a value is rather an option: it
// names one, exactly or by its start. Negative numbers are values.
func (c *Command) looksLikeOption(word string) bool {
	if len(word) < 2 || word[0] != '-' || word == "--" {
		return word == "--"
	}
	if _, err := strconv.ParseFloat(word, 64); err == nil {
		return false
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(word[1:], "-"), "=")
	if len(c.byLong(name)) > 0 || isHelp(word) {
		return true
	}
	isShort := func(o Option) bool {
		return o.Short != "" && (o.Short == name || len(o.Short) == 1 && strings.HasPrefix(name, o.Short))
	}
	return word[1] != '-' && slices.ContainsFunc(c.Options, isShort)
}

func isHelp(word string) bool { return word == "-h" || word == "--help" || word == "-help" }

// join lists options for a message.
func join(options []Option) string {
	var names []string
	for _, option := range options {
		names = append(names, "--"+option.Long)
	}
	return strings.Join(names, " or ")
}
