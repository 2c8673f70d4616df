package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/magiconair/properties"
	"github.com/spf13/pflag"
)

// Source is one place that sets keys. A later source wins over an earlier one.
type Source struct {
	// Name says where, for messages: the path of a file, or "the command line".
	Name string
	Keys map[string]string
}

// sorted are the keys in the order in which messages name them.
func (s Source) sorted() []string { return slices.Sorted(maps.Keys(s.Keys)) }

// ReadFile reads a properties file as Java does: UTF-8, the last of equal keys wins, ${…} is
// plain text. A licence in <!-- --> at the top, as Apache's examples have it, is skipped.
func ReadFile(path string) (Source, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Source{}, fmt.Errorf("the configuration file cannot be read: %w", err)
	}
	return parse(path, content)
}

func parse(name string, content []byte) (Source, error) {
	text, err := withoutLicence(string(content))
	if err != nil {
		return Source{}, fmt.Errorf("%s: %w", name, err)
	}
	loader := properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}
	read, err := loader.LoadBytes([]byte(text))
	if err != nil {
		return Source{}, fmt.Errorf("%s is not a properties file: %w", name, err)
	}
	return Source{Name: name, Keys: read.Map()}, nil
}

var errOpenComment = errors.New("the comment that begins with <!-- does not end: close it with -->")

func withoutLicence(text string) (string, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	if !strings.HasPrefix(strings.TrimSpace(text), "<!--") {
		return text, nil
	}
	_, after, closed := strings.Cut(text, "-->")
	if !closed {
		return "", errOpenComment
	}
	return after, nil
}

// AddFlags adds a flag for each key of a settings struct, given by pointer.
func AddFlags(flags *pflag.FlagSet, settings any) {
	for _, f := range fieldsOf(settings) {
		flags.StringP(f.key(), f.tag.Get("short"), "", f.doc()+"; `"+f.kind()+"`, default "+orNone(f.defaultText()))
	}
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// FromFlags is what was typed of the flags that AddFlags has added.
func FromFlags(flags *pflag.FlagSet, settings any) Source {
	source := Source{Name: "the command line", Keys: map[string]string{}}
	for _, f := range fieldsOf(settings) {
		if typed := flags.Lookup(f.key()); typed != nil && typed.Changed {
			source.Keys[f.key()] = typed.Value.String()
		}
	}
	return source
}

func isAbsent(err error) bool { return errors.Is(err, os.ErrNotExist) }
