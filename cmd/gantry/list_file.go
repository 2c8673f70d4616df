package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/gantrymq/gantry/cmd/gantry/commandline"
)

// listKind is what a file lists: settings of topics, or of groups.
type listKind[T any] struct {
	what    string   // one of them is called
	nameKey string   // of its name
	keys    []string // that are known
	read    func(object []byte) (T, error)
	nameOf  func(*T) string
	check   func(*T) error // the error begins with the key
}

// readFile reads a JSON array of objects. Unlike RocketMQ's tool it refuses what it does not know: a slip of the pen would be a
// setting that is not made. Errors name the file, the entry and the key.
func (k *listKind[T]) readFile(path string) ([]T, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the list of %ss cannot be read: %w", k.what, err)
	}
	list, err := k.parse(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

func (k *listKind[T]) parse(content []byte) ([]T, error) {
	var objects []map[string]json.RawMessage
	if err := json.Unmarshal(content, &objects); err != nil {
		return nil, fmt.Errorf("%sit is not a JSON array of objects such as [{%q:\"orders\"}]: %w", lineOf(content, err), k.nameKey, err)
	}
	if len(objects) == 0 {
		return nil, fmt.Errorf("it lists no %s", k.what)
	}
	var list []T
	seen := map[string]int{}
	for i, object := range objects {
		value, err := k.parseOne(object)
		name := k.nameOf(&value)
		if err != nil {
			return nil, fmt.Errorf("%s %d: %w", k.what, i+1, err)
		}
		if before, twice := seen[name]; twice {
			return nil, fmt.Errorf("%ss %d and %d: both are %s", k.what, before, i+1, name)
		}
		seen[name] = i + 1
		list = append(list, value)
	}
	return list, nil
}

// lineOf says where the text is not JSON, if that is known.
func lineOf(content []byte, err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	at := int64(0)
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &kind):
		at = kind.Offset
	default:
		return ""
	}
	return fmt.Sprintf("line %d: ", 1+bytes.Count(content[:min(at, int64(len(content)))], []byte("\n")))
}

func (k *listKind[T]) parseOne(object map[string]json.RawMessage) (value T, err error) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(k.keys, key) {
			return value, k.unknown(key)
		}
		// One by one, so that it is known which of them is wrong.
		if _, err := k.read(objectOf(map[string]json.RawMessage{key: object[key]})); err != nil {
			return value, fmt.Errorf("%s: %s cannot be read: %w", key, object[key], err)
		}
	}
	if value, err = k.read(objectOf(object)); err != nil {
		return value, err
	}
	if k.nameOf(&value) == "" {
		return value, fmt.Errorf("%s is missing: say which %s it is about", k.nameKey, k.what)
	}
	if err := k.check(&value); err != nil {
		return value, fmt.Errorf("%s: %w", k.nameOf(&value), err)
	}
	return value, nil
}

func (k *listKind[T]) unknown(key string) error {
	if nearest := commandline.Nearest(key, k.keys); nearest != "" {
		return fmt.Errorf("%q is no setting of a %s: did you mean %s?", key, k.what, nearest)
	}
	return fmt.Errorf("%q is no setting of a %s: there are %q", key, k.what, k.keys)
}

// objectOf writes what was read before, which cannot fail.
func objectOf(object map[string]json.RawMessage) []byte {
	text, _ := json.Marshal(object)
	return text
}

// keysOf are those of a JSON object, sorted.
func keysOf(object []byte) []string {
	var values map[string]json.RawMessage
	_ = json.Unmarshal(object, &values)
	return slices.Sorted(maps.Keys(values))
}
