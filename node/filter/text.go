package filter

import (
	"strconv"
	"strings"
)

// write appends the canonical form of a node, in brackets if it binds less tightly than lowest.
func (n *node) write(text *strings.Builder, lowest int) {
	level := levels[n.operator]
	if level < lowest {
		text.WriteByte('(')
		defer text.WriteByte(')')
	}
	switch n.operator {
	case operatorConstant:
		text.WriteString(n.constant.written())
	case operatorProperty:
		text.WriteString(n.name)
	case operatorOr, operatorAnd:
		n.writeChain(text, level)
	case operatorNot:
		text.WriteString("NOT ")
		n.operands[0].write(text, level)
	case operatorMinus:
		n.writeMinus(text, level)
	default:
		n.operands[0].write(text, level)
		n.writeRight(text, level)
	}
}

func (n *node) writeChain(text *strings.Builder, level int) {
	for i, operand := range n.operands {
		if i > 0 {
			text.WriteString(" " + n.operator.String() + " ")
		}
		operand.write(text, level+1)
	}
}

// writeMinus puts a blank between two minus signs, which would begin a comment.
func (n *node) writeMinus(text *strings.Builder, level int) {
	text.WriteByte('-')
	if n.operands[0].operator == operatorMinus {
		text.WriteByte(' ')
	}
	n.operands[0].write(text, level)
}

// writeRight appends the operator of a test and what stands right of it.
func (n *node) writeRight(text *strings.Builder, level int) {
	text.WriteString(" " + n.word())
	switch n.operator {
	case operatorIsNull:
	case operatorIn:
		text.WriteString(" (")
		for i, listed := range n.texts.list {
			if i > 0 {
				text.WriteString(", ")
			}
			text.WriteString(quote(listed))
		}
		text.WriteByte(')')
	case operatorContains, operatorStartsWith, operatorEndsWith:
		text.WriteString(" " + quote(n.texts.list[0]))
	case operatorBetween:
		text.WriteByte(' ')
		n.operands[1].write(text, levelUnary)
		text.WriteString(" AND ")
		n.operands[2].write(text, levelUnary)
	default:
		text.WriteByte(' ')
		n.operands[1].write(text, level+1)
	}
}

// word is the operator as it is written, with its NOT.
func (n *node) word() string {
	switch {
	case !n.negated:
		return n.operator.String()
	case n.operator == operatorEqual:
		return "<>"
	case n.operator == operatorIsNull:
		return "IS NOT NULL"
	}
	return "NOT " + n.operator.String()
}

// written is a constant as it stands in an expression.
func (v *value) written() string {
	switch v.kind {
	case kindBoolean:
		return strings.ToUpper(strconv.FormatBool(v.truth))
	case kindText:
		return quote(v.text)
	case kindInteger, kindLong:
		return strconv.FormatInt(v.number, 10)
	case kindDouble:
		return writtenDouble(v.double)
	}
	return "NULL"
}

// writtenDouble makes sure that it is not read as an integer, with which properties compare differently.
func writtenDouble(double float64) string {
	text := strconv.FormatFloat(double, 'g', -1, 64)
	if strings.ContainsAny(text, ".e") {
		return text
	}
	return text + ".0"
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
