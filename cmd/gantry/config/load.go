package config

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/cmd/gantry/commandline"
)

// Machine is what the defaults depend on beside the settings themselves.
type Machine struct {
	HostName string // default of brokerName
	Home     string // the user's directory, above the default store
	Address  string // an IP address of this machine, default of brokerIP1
	// NameServers is the environment variable NAMESRV_ADDR, default of namesrvAddr.
	NameServers string
}

// rules are the keys of Apache's that are no field of the settings, or only one value of which is kept.
type rules struct {
	idle     []idleKeys
	promises []promise
	paths    map[string]string // keys of paths that may only be what they are below storePathRootDir
}

// idleKeys are keys that ask for nothing that Gantry has.
type idleKeys struct {
	keys    string // separated by blanks; patterns as of path.Match
	because string
}

// promise is a key with which an operator relies on something that this version does not do.
// Values that do not ask for it are accepted.
type promise struct {
	key      string
	harmless string // separated by blanks
	because  string
}

// read applies the sources to settings, in their order, and reports all mistakes at once. The
// warnings tell of keys without effect, one for each reason.
func read(settings any, known rules, sources []Source) (warnings []string, err error) {
	setDefaults(settings)
	r := reader{fields: map[string]field{}, rules: known, idle: map[string][]string{}}
	for _, f := range fieldsOf(settings) {
		r.fields[f.key()] = f
	}
	for _, source := range sources {
		for _, key := range source.sorted() {
			if err := r.apply(source, key); err != nil {
				r.mistakes = append(r.mistakes, fmt.Errorf("%s: %w", source.Name, err))
			}
		}
	}
	return r.warnings(), errors.Join(r.mistakes...)
}

// reader gathers what there is to say about the sources.
type reader struct {
	fields   map[string]field
	rules    rules
	idle     map[string][]string // keys met, by reason
	mistakes []error
}

func (r *reader) apply(source Source, key string) error {
	text := source.Keys[key]
	if err := r.checkPromise(key, text); err != nil {
		return err
	}
	if f, ok := r.find(key); ok {
		if other, both := source.Keys[f.key()]; both && key == f.alias() && other != text {
			return fmt.Errorf("%s and %s are the same key and say different things: keep one", f.key(), key)
		}
		if err := f.set(text); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	}
	if r.isPromise(key) || r.rules.paths[key] != "" {
		return nil
	}
	because, ok := r.whyIdle(key)
	if !ok {
		return r.unknown(key)
	}
	if !slices.Contains(r.idle[because], key) {
		r.idle[because] = append(r.idle[because], key)
	}
	return nil
}

func (r *reader) find(key string) (field, bool) {
	if f, ok := r.fields[key]; ok {
		return f, true
	}
	// order does not matter: no two fields have the same alias
	for _, f := range r.fields {
		if f.alias() == key {
			return f, true
		}
	}
	return field{}, false
}

func (r *reader) isPromise(key string) bool {
	return slices.ContainsFunc(r.rules.promises, func(p promise) bool { return p.key == key })
}

func (r *reader) checkPromise(key, text string) error {
	text = strings.TrimSpace(text)
	for _, p := range r.rules.promises {
		isHarmless := func(value string) bool { return strings.EqualFold(value, text) }
		if p.key == key && text != "" && !slices.ContainsFunc(strings.Fields(p.harmless), isHarmless) {
			return fmt.Errorf("%s=%s is refused, because %s; %s", key, text, p.because, p.advice())
		}
	}
	return nil
}

func (p promise) advice() string {
	if p.harmless == "" {
		return "remove the key"
	}
	return "remove the key or set it to " + strings.Join(strings.Fields(p.harmless), " or ")
}

func (r *reader) whyIdle(key string) (string, bool) {
	for _, row := range r.rules.idle {
		for _, pattern := range strings.Fields(row.keys) {
			// The only error is that of a malformed pattern, and the patterns are this package's own.
			if ok, _ := path.Match(pattern, key); ok {
				return row.because, true
			}
		}
	}
	return "", false
}

func (r *reader) unknown(key string) error {
	var known []string
	// order does not matter: sorted below
	for _, f := range r.fields {
		known = append(known, f.key())
	}
	for _, p := range r.rules.promises {
		known = append(known, p.key)
	}
	for _, row := range r.rules.idle {
		known = append(known, strings.Fields(row.keys)...)
	}
	known = slices.DeleteFunc(known, func(name string) bool { return strings.Contains(name, "*") })
	slices.Sort(known)
	if nearest := commandline.Nearest(key, known); nearest != "" {
		return fmt.Errorf("%s is not a key: did you mean %s?", key, nearest)
	}
	return fmt.Errorf("%s is not a key: remove it, or see the list that -p prints", key)
}

// warnings are in the order of the rules.
func (r *reader) warnings() []string {
	var texts []string
	for _, row := range r.rules.idle {
		keys := r.idle[row.because]
		switch {
		case len(keys) == 1:
			texts = append(texts, keys[0]+" has no effect in Gantry because "+row.because)
		case len(keys) > 1:
			texts = append(texts, strings.Join(keys, ", ")+" have no effect in Gantry because "+row.because)
		}
		delete(r.idle, row.because)
	}
	return texts
}
