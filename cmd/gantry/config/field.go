package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// field is one key of a settings struct. All that is known of a key stands in the tags of its field:
//
//	key      its name in files and as a flag
//	alias    an older spelling of the key
//	short    its short name as a flag
//	default  its value if nobody sets it, as text
//	unset    what an empty default stands for, in words
//	unit     of a duration: ms, s or h
//	range    least and greatest value of a number
//	oneof    the words a text may be
//	important  "yes" if -m prints it
//	secret   "yes" if its value must not be shown
//	doc      what it is, as a clause without a full stop
type field struct {
	tag   reflect.StructTag
	value reflect.Value
}

func (f field) key() string       { return f.tag.Get("key") }
func (f field) alias() string     { return f.tag.Get("alias") }
func (f field) doc() string       { return f.tag.Get("doc") }
func (f field) isSecret() bool    { return f.tag.Get("secret") == "yes" }
func (f field) isImportant() bool { return f.tag.Get("important") == "yes" }

// fieldsOf lists the keys of a settings struct, given by pointer, in the order of its fields. Embedded structs are part of it.
func fieldsOf(settings any) []field {
	structure := reflect.ValueOf(settings).Elem()
	var fields []field
	for i := range structure.NumField() {
		if structure.Type().Field(i).Anonymous {
			fields = append(fields, fieldsOf(structure.Field(i).Addr().Interface())...)
		}
		if tag := structure.Type().Field(i).Tag; tag.Get("key") != "" {
			fields = append(fields, field{tag, structure.Field(i)})
		}
	}
	return fields
}

// setDefaults gives each field its default. A default that does not read panics: it is a
// mistake in the tags, which the tests of this package find.
func setDefaults(settings any) {
	for _, f := range fieldsOf(settings) {
		if err := f.set(f.tag.Get("default")); err != nil {
			panic(fmt.Sprintf("config: default of %s: %v", f.key(), err))
		}
	}
}

// set reads a value. The error says what values there are, and is without the key.
func (f field) set(text string) error {
	text = strings.TrimSpace(text)
	switch f.value.Interface().(type) {
	case string:
		return f.setWord(text)
	case bool:
		return f.setBool(text)
	case time.Duration:
		return f.setNumber(text, func(n int64) { f.value.SetInt(n * int64(f.unit())) })
	default:
		return f.setNumber(text, f.value.SetInt)
	}
}

func (f field) setWord(text string) error {
	if words := strings.Fields(f.tag.Get("oneof")); len(words) > 0 {
		for _, word := range words {
			if text == word {
				f.value.SetString(text)
				return nil
			}
		}
		return fmt.Errorf("%q is not one of %s", text, strings.Join(words, ", "))
	}
	f.value.SetString(text)
	return nil
}

// setBool is stricter than Java, which takes every word but "true" for false.
func (f field) setBool(text string) error {
	switch strings.ToLower(text) {
	case "true":
		f.value.SetBool(true)
	case "false":
		f.value.SetBool(false)
	default:
		return fmt.Errorf("%q is neither true nor false", text)
	}
	return nil
}

func (f field) setNumber(text string, store func(int64)) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a whole number", text)
	}
	if low, high := f.bounds(); n < low || n > high {
		return fmt.Errorf("%d is not between %d and %d", n, low, high)
	}
	store(n)
	return nil
}

// bounds are those of the tag. Every number has them.
func (f field) bounds() (low, high int64) {
	if _, err := fmt.Sscan(f.tag.Get("range"), &low, &high); err != nil {
		panic(fmt.Sprintf("config: range of %s: %v", f.key(), err))
	}
	return low, high
}

func (f field) unit() time.Duration {
	switch f.tag.Get("unit") {
	case "s":
		return time.Second
	case "h":
		return time.Hour
	}
	return time.Millisecond
}

// text is the value as set reads it.
func (f field) text() string {
	switch v := f.value.Interface().(type) {
	case time.Duration:
		return strconv.FormatInt(int64(v/f.unit()), 10)
	default:
		return fmt.Sprint(v)
	}
}

// kind is the word for the type of value in help texts.
func (f field) kind() string {
	switch f.value.Interface().(type) {
	case string:
		if f.tag.Get("oneof") != "" {
			return strings.ReplaceAll(f.tag.Get("oneof"), " ", "|")
		}
		return "text"
	case bool:
		return "true|false"
	case time.Duration:
		return f.tag.Get("unit")
	}
	return "number"
}

// defaultText is the default as help texts show it.
func (f field) defaultText() string {
	if unset := f.tag.Get("unset"); unset != "" {
		return unset
	}
	return f.tag.Get("default")
}
