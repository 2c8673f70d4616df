package config

import (
	"fmt"
	"strings"
)

// Document is the text of CONFIG.md: all keys of all kinds of nodes, in Markdown.
func Document() string {
	var text strings.Builder
	text.WriteString(`# Configuration

Made from the structs in cmd/gantry/config by ` + "`make rewrite`" + `; do not edit.

Keys come from the properties file that ` + "`-c`" + ` names, then from flags of the same names; what neither sets has
its default. ` + "`-p`" + ` prints what would be used. Unknown keys are refused.
`)
	for _, node := range []struct {
		title    string
		settings any
		known    rules
	}{
		{"Broker (`gantry broker`, `mqbroker`)", new(Broker), brokerRules.with(tlsRules).with(metricsRules).with(accessRules)},
		{"Name server (`gantry namesrv`, `mqnamesrv`)", new(NameServer), nameServerRules.with(controllerRules).with(tlsRules).with(metricsRules).with(accessRules)},
		{"Controller (`gantry controller`, `mqcontroller`)", new(Controller), controllerNodeRules()},
	} {
		fmt.Fprintf(&text, "\n## %s\n\n%s", node.title, keyTable(node.settings))
		fmt.Fprintf(&text, "\nKeys of Apache's that are accepted only with a value that asks for nothing:\n\n%s", node.known.promiseTable())
		fmt.Fprintf(&text, "\nKeys of Apache's that are accepted and have no effect (`*` and `[A-Z]` stand for letters):\n\n%s", node.known.idleTable())
	}
	return text.String()
}

// keyTable is a table of the keys of a settings struct, given by pointer.
func keyTable(settings any) string {
	var text strings.Builder
	writeRow(&text, "key", "value", "default", "meaning")
	writeRow(&text, "---", "---", "---", "---")
	for _, f := range fieldsOf(settings) {
		key := "`" + f.key() + "`"
		if f.alias() != "" {
			key += ", `" + f.alias() + "`"
		}
		writeRow(&text, key, f.kind(), orNone(f.defaultText()), f.doc())
	}
	return text.String()
}

func (r rules) promiseTable() string {
	var text strings.Builder
	writeRow(&text, "key", "accepted", "because")
	writeRow(&text, "---", "---", "---")
	for _, p := range r.promises {
		accepted := "nothing"
		if p.harmless != "" {
			accepted = "`" + p.harmless + "`"
		}
		writeRow(&text, "`"+p.key+"`", accepted, p.because)
	}
	return text.String()
}

func (r rules) idleTable() string {
	var text strings.Builder
	writeRow(&text, "keys", "because")
	writeRow(&text, "---", "---")
	for _, row := range r.idle {
		writeRow(&text, "`"+strings.Join(strings.Fields(row.keys), "`, `")+"`", row.because)
	}
	return text.String()
}

func writeRow(text *strings.Builder, cells ...string) {
	for _, cell := range cells {
		text.WriteString("| " + strings.ReplaceAll(cell, "|", `\|`) + " ")
	}
	text.WriteString("|\n")
}
