package filter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/transport/message"
)

const (
	everyTag     = "*"  // SUB_ALL
	tagSeparator = "||" // between tags
)

// compileTags splits as the reference's clients do (class FilterAPI). Where those would subscribe to
// no tag at all, and so to no message, it is an error.
func compileTags(expression string) (*Filter, error) {
	if expression == "" || expression == everyTag {
		return &Filter{expressionType: TypeTag, everything: true}, nil
	}
	var tags []string
	known := map[string]bool{}
	for part := range strings.SplitSeq(expression, tagSeparator) {
		if tag := trim(part); tag != "" && !known[tag] {
			known[tag] = true
			tags = append(tags, tag)
		}
	}
	if err := checkTags(expression, tags); err != nil {
		return nil, err
	}
	return &Filter{expressionType: TypeTag, tags: newTextSet(tags), tagHashes: hashesOf(tags)}, nil
}

func checkTags(expression string, tags []string) error {
	switch {
	case len(tags) == 0:
		return &CompileError{Kind: ErrSyntax, Position: 1,
			Detail: fmt.Sprintf("%q names no tag: write * for every message, or tags as in A || B", abbreviate(expression))}
	case len(tags) > TermsMax:
		return &CompileError{Kind: ErrLimit, Position: 1,
			Detail: fmt.Sprintf("it has %d tags and may have %d: subscribe to * and choose in the consumer", len(tags), TermsMax)}
	}
	return nil
}

func hashesOf(tags []string) []int32 {
	hashes := make([]int32, len(tags))
	for i, tag := range tags {
		hashes[i] = message.HashCode([]byte(tag))
	}
	slices.Sort(hashes)
	return slices.Compact(hashes)
}

// trim cuts what String.trim cuts in Java: all up to the blank, and no wider Unicode space.
func trim(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
}

// writeTags puts a separator behind a lone tag "*", which could be subscribed to with blanks
// around it and must not be read as every message.
func writeTags(text *strings.Builder, tags []string) {
	text.WriteString(strings.Join(tags, " "+tagSeparator+" "))
	if len(tags) == 1 && tags[0] == everyTag {
		text.WriteString(" " + tagSeparator)
	}
}
