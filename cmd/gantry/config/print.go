package config

import (
	"fmt"
	"io"
	"iter"
	"strings"
)

// Print writes the keys of a settings struct, given by pointer, as a properties file that reads back
// as the same settings: all of them, or those that operators set most. Secrets are left out.
func Print(out io.Writer, settings any, onlyImportant bool) error {
	for _, f := range fieldsOf(settings) {
		if onlyImportant && !f.isImportant() {
			continue
		}
		line := f.key() + "=" + escape(f.text())
		if f.isSecret() && f.text() != "" {
			line = "# " + f.key() + " is set, and not shown"
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}

// Hidden stands for secrets where settings are shown.
const Hidden = "(hidden)"

// Values are the keys of a settings struct, given by pointer, in their order, with the values as a file has them. Secrets are Hidden.
func Values(settings any) iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for _, f := range fieldsOf(settings) {
			text := f.text()
			if f.isSecret() && text != "" {
				text = Hidden
			}
			if !yield(f.key(), text) {
				return
			}
		}
	}
}

// escape protects what a properties file would read as something else.
func escape(value string) string {
	escaped := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\f", `\f`).Replace(value)
	if strings.HasPrefix(escaped, " ") {
		escaped = `\` + escaped
	}
	return escaped
}

// Help lists the keys of a settings struct, given by pointer, for the help text of a command.
func Help(settings any) string {
	var text strings.Builder
	for _, f := range fieldsOf(settings) {
		name := "--" + f.key()
		if short := f.tag.Get("short"); short != "" {
			name = "-" + short + ", " + name
		}
		fmt.Fprintf(&text, "  %s %s\n        %s (default %s)\n", name, f.kind(), f.doc(), orNone(f.defaultText()))
	}
	return text.String()
}
