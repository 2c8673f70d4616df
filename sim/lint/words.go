package lint

import (
	"regexp"
	"strconv"
	"strings"
)

// word is something that must not stand in any file, and what to do about it.
type word struct {
	pattern *regexp.Regexp
	instead string
}

// The patterns are put together from pieces, so that this file does not match them.
var words = []word{
	{regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"}, "|") + `)\b`),
		"finish it now, or write down as a fact what is not done and why"},
	{regexp.MustCompile(`not ` + `implemented|\bun` + `implemented`),
		"finish it, or answer with an error that says what the caller can do"},
	{regexp.MustCompile(`/(work|farm)` + `/`),
		"name no path of one machine"},
	{regexp.MustCompile(`(?i)\bthis ` + `session\b|\bsub` + `agent|\bissue` + ` #?[0-9]+\b|\bissue` + ` #`),
		"speak of the program, not of how it came to be"},
}

// wordless are files that nobody writes by hand.
var wordless = []string{"go.sum", "LICENSE", "interop/ali-ons/package-lock.json"}

// CheckWords finds leftovers in every text file of the tree.
func CheckWords(texts []Text) []Finding {
	var findings []Finding
	for _, text := range texts {
		if !matchesAny(wordless, text.Name) {
			findings = append(findings, wordsIn(text)...)
		}
	}
	return inOrder(findings)
}

func wordsIn(text Text) []Finding {
	var findings []Finding
	for _, word := range words {
		for _, at := range word.pattern.FindAllStringIndex(text.Content, -1) {
			line := 1 + strings.Count(text.Content[:at[0]], "\n")
			findings = append(findings, Finding{text.Name + ":" + strconv.Itoa(line),
				strconv.Quote(text.Content[at[0]:at[1]]) + " is left behind: " + word.instead})
		}
	}
	return findings
}
