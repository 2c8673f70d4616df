package filtertest

import (
	"strconv"
	"strings"
)

// Text writes the expression, each time in another of the ways that mean the same: brackets that are not
// needed, comments, upper and lower case, signs without effect.
func (t *Tree) Text(choose Choose) string {
	writer := &writer{choose: choose}
	writer.tree(t, levelOr)
	return writer.joined()
}

type writer struct {
	choose Choose
	words  []string
}

func (w *writer) add(words ...string) { w.words = append(w.words, words...) }

// keyword adds one or several keywords and spells them anyhow.
func (w *writer) keyword(keywords string) {
	for word := range strings.FieldsSeq(keywords) {
		switch w.choose(3) {
		case 0:
			word = strings.ToLower(word)
		case 1:
			word = word[:1] + strings.ToLower(word[1:])
		}
		w.add(word)
	}
}

// tree adds an operand that must bind at least as tightly as a level.
func (w *writer) tree(t *Tree, lowest int) {
	if w.choose(12) == 0 && lowest <= levelUnary {
		w.add("+")
		lowest = levelUnary
	}
	if level(t.Operator) < lowest || w.choose(8) == 0 {
		w.add("(")
		w.tree(t, levelOr)
		w.add(")")
		return
	}
	w.bare(t)
}

func (w *writer) bare(t *Tree) {
	at := level(t.Operator)
	switch t.Operator {
	case "constant":
		w.constant(t.Constant)
	case "property":
		w.add(t.Name)
	case "NOT", "-":
		w.keyword(t.Operator)
		w.tree(t.Operands[0], at)
	case "OR", "AND":
		// Two of the same kind next to each other: the left one needs no brackets.
		w.tree(t.Operands[0], at)
		for _, operand := range t.Operands[1:] {
			w.keyword(t.Operator)
			w.tree(operand, at+1)
		}
	default:
		w.tree(t.Operands[0], at)
		w.keyword(t.Operator)
		w.right(t, at)
	}
}

// right adds what stands behind an operator.
func (w *writer) right(t *Tree, at int) {
	switch {
	case strings.HasSuffix(t.Operator, "BETWEEN"):
		w.tree(t.Operands[1], levelUnary)
		w.keyword("AND")
		w.tree(t.Operands[2], levelUnary)
	case t.Operator == "IN" || t.Operator == "NOT IN":
		w.add("(")
		for i, text := range t.Texts {
			if i > 0 {
				w.add(",")
			}
			w.constant(text)
		}
		w.add(")")
	case len(t.Texts) == 1:
		w.constant(t.Texts[0])
	case len(t.Operands) == 2:
		w.tree(t.Operands[1], at+1)
	}
}

func (w *writer) constant(constant any) {
	switch constant := constant.(type) {
	case nil:
		w.keyword("NULL")
	case bool:
		w.keyword(strings.ToUpper(strconv.FormatBool(constant)))
	case string:
		w.add("'" + strings.Join(strings.Split(constant, "'"), "''") + "'")
	case int64:
		// A zero with an L behind it is read by no Java broker.
		suffixes := []string{"", "L", "l"}
		if constant == 0 {
			suffixes = suffixes[:1]
		}
		w.add(strconv.FormatInt(constant, 10) + oneOf(w.choose, suffixes))
	case float64:
		w.add(w.double(constant))
	}
}

func (w *writer) double(double float64) string {
	switch w.choose(3) {
	case 0:
		return strconv.FormatFloat(double, 'E', -1, 64)
	case 1:
		return strconv.FormatFloat(double, 'e', -1, 64)
	}
	text := strconv.FormatFloat(double, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		return text + "."
	}
	return strings.TrimPrefix(text, "0")
}

// joined puts between the words what separates them.
func (w *writer) joined() string {
	var text strings.Builder
	for i, word := range w.words {
		if i > 0 && !(w.choose(2) == 0 && mayTouch(w.words[i-1], word)) {
			text.WriteString(oneOf(w.choose, []string{" ", " ", " ", "\t\n\r\f ", "/* a 'comment' **/", " -- or this\n"}))
		}
		text.WriteString(word)
	}
	return text.String()
}

// mayTouch reports whether two words stay two without anything between them.
func mayTouch(left, right string) bool {
	return strings.Contains("(),", left) || strings.Contains("(),", right)
}
