package proto

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrConfigText is under every error of ParseConfigText.
var ErrConfigText = errors.New("unusable configuration text")

// ConfigEntry is one line of a ConfigText.
type ConfigEntry struct{ Key, Value string }

// ConfigText is a configuration as lines "key=value" in UTF-8: the grammar of Java's
// properties files. It is the body of ReqUpdateBrokerConfig, ReqUpdateNameServerConfig,
// ReqUpdateControllerConfig, and of the answers to the Get requests beside them.
type ConfigText []ConfigEntry

// Get returns the value of a key. If the key appears twice the last one counts.
func (t ConfigText) Get(key string) (string, bool) {
	for i := len(t) - 1; i >= 0; i-- {
		if t[i].Key == key {
			return t[i].Value, true
		}
	}
	return "", false
}

// String shows the number of entries. Values may be secret.
func (t ConfigText) String() string { return fmt.Sprintf("%d settings", len(t)) }

// Marshal writes the lines in their order. ParseConfigText, and Java, read the same
// entries back, whatever characters they hold.
func (t ConfigText) Marshal() []byte {
	var text []byte
	for _, entry := range t {
		text = appendConfig(text, entry.Key, " =:#!")
		text = append(text, '=')
		// A blank inside a value is harmless, one before it would be skipped.
		if strings.HasPrefix(entry.Value, " ") {
			text = append(text, '\\')
		}
		text = appendConfig(text, entry.Value, "")
		text = append(text, '\n')
	}
	return text
}

// appendConfig appends a key or a value with a backslash before special characters.
func appendConfig(dst []byte, s, special string) []byte {
	for _, r := range s {
		switch {
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r == '\f':
			dst = append(dst, '\\', 'f')
		case r == '\\' || strings.ContainsRune(special, r):
			dst = append(dst, '\\', byte(r))
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// ParseConfigText reads the lines. Lines that begin with # or ! are comments; "=", ":" or a
// blank ends a key; a backslash joins lines and introduces \n, \t, \r, \f and \uXXXX.
// The error is ErrConfigText.
func ParseConfigText(text []byte) (ConfigText, error) {
	var entries ConfigText
	rest := string(text)
	for rest != "" {
		var line string
		line, rest = logicalLine(rest)
		if line == "" {
			continue
		}
		entry, err := parseConfigLine(line)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

const configBlanks = " \t\f"

// logicalLine takes one line off the text: natural lines joined where they end with a
// backslash, without what stands before the key. Comments and empty lines give "".
func logicalLine(text string) (line, rest string) {
	natural, rest := naturalLine(text)
	line = strings.TrimLeft(natural, configBlanks)
	if line == "" || line[0] == '#' || line[0] == '!' {
		return "", rest
	}
	var joined strings.Builder
	for endsOpen(line) {
		joined.WriteString(line[:len(line)-1])
		natural, rest = naturalLine(rest)
		line = strings.TrimLeft(natural, configBlanks)
	}
	joined.WriteString(line)
	return joined.String(), rest
}

// naturalLine splits at the first end of a line: \n, \r or both.
func naturalLine(text string) (line, rest string) {
	end := strings.IndexAny(text, "\r\n")
	if end < 0 {
		return text, ""
	}
	if strings.HasPrefix(text[end:], "\r\n") {
		return text[:end], text[end+2:]
	}
	return text[:end], text[end+1:]
}

// endsOpen reports whether a line goes on: it ends with an odd number of backslashes.
func endsOpen(line string) bool {
	trimmed := strings.TrimRight(line, `\`)
	return (len(line)-len(trimmed))%2 == 1
}

// parseConfigLine splits a logical line into key and value.
func parseConfigLine(line string) (ConfigEntry, error) {
	end := 0
	for end < len(line) && strings.IndexByte("=:"+configBlanks, line[end]) < 0 {
		if line[end] == '\\' {
			end++ // what follows a backslash ends no key
		}
		end++
	}
	end = min(end, len(line))
	value := strings.TrimLeft(line[end:], configBlanks)
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], configBlanks)
	}
	var entry ConfigEntry
	var err error
	if entry.Key, err = unescapeConfig(line[:end]); err == nil {
		entry.Value, err = unescapeConfig(value)
	}
	if err != nil {
		return ConfigEntry{}, fmt.Errorf("%w: line %q: %w", ErrConfigText, shorten([]byte(line)), err)
	}
	return entry, nil
}

var errUnicodeEscape = errors.New(`\u needs four hexadecimal digits`)

// unescapeConfig resolves the backslashes of a key or value. Escapes beyond the first
// plane come in pairs, as UTF-16 has them.
func unescapeConfig(s string) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			if s[i] != '\\' {
				out.WriteByte(s[i])
			}
			continue
		}
		i++
		switch s[i] {
		case 'n':
			out.WriteByte('\n')
		case 'r':
			out.WriteByte('\r')
		case 't':
			out.WriteByte('\t')
		case 'f':
			out.WriteByte('\f')
		case 'u':
			r, width, err := unicodeEscape(s[i-1:])
			if err != nil {
				return "", err
			}
			out.WriteRune(r)
			i += width - 2
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String(), nil
}

// unicodeEscape reads \uXXXX, or a surrogate pair of two of them, at the start of s.
func unicodeEscape(s string) (r rune, width int, err error) {
	high, err := escapedUnit(s)
	if err != nil {
		return 0, 0, err
	}
	if low, err := escapedUnit(s[6:]); err == nil {
		if pair := utf16.DecodeRune(high, low); pair != utf8.RuneError {
			return pair, 12, nil
		}
	}
	return high, 6, nil
}

func escapedUnit(s string) (rune, error) {
	if len(s) < 6 || s[:2] != `\u` {
		return 0, errUnicodeEscape
	}
	unit, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil {
		return 0, errUnicodeEscape
	}
	return rune(unit), nil
}
