package filter

import (
	"fmt"
	"strconv"
	"strings"
)

// parser reads one expression. After the first failure it sees nothing but the end of the
// text, so that every loop ends; what it builds from then on is thrown away.
type parser struct {
	scanner scanner
	token   token // the next one
	failure *CompileError
	depth   int // of brackets and signs around the token
	terms   int
}

// parse returns the condition that an expression is.
func parse(expression string) (*node, error) {
	p := parser{scanner: scanner{rest: expression, position: 1}}
	p.advance()
	root := p.condition(p.expression(levelOr))
	if p.failure == nil && p.token.kind != tokenEnd {
		p.failHere(ErrSyntax, "the expression could have ended here, but there is "+p.token.String()+": "+p.adviceBehindEnd())
	}
	if p.failure != nil {
		return nil, p.failure
	}
	return root, nil
}

// adviceBehindEnd is about what cannot follow. Java brokers silently ignore the rest of the text
// there, which cannot be what its author meant.
func (p *parser) adviceBehindEnd() string {
	if p.token.kind == tokenName && strings.EqualFold(p.token.text, "LIKE") {
		return "write CONTAINS, STARTSWITH or ENDSWITH"
	}
	return "join conditions with AND or OR, or leave the rest out"
}

func (p *parser) advance() {
	if p.failure != nil {
		return
	}
	next, failure := p.scanner.next()
	if failure != nil {
		p.failAt(failure.Kind, failure.Position, failure.Detail)
		return
	}
	p.token = next
}

func (p *parser) take() token {
	taken := p.token
	p.advance()
	return taken
}

func (p *parser) is(reserved string) bool {
	return p.token.kind == tokenReserved && p.token.text == reserved
}

func (p *parser) expect(reserved, advice string) {
	if p.is(reserved) {
		p.advance()
		return
	}
	p.failHere(ErrSyntax, fmt.Sprintf("there must be %s and there is %v: %s", reserved, p.token, advice))
}

func (p *parser) failHere(kind error, detail string) { p.failAt(kind, p.token.position, detail) }

func (p *parser) failAt(kind error, position int, detail string) {
	if p.failure == nil {
		p.failure = &CompileError{Kind: kind, Position: position, Detail: detail}
		p.token = token{kind: tokenEnd, position: position}
	}
}

// add counts a node and measures it, so that no later walk is deep or long.
func (p *parser) add(n *node) *node {
	n.depth = 1
	for _, operand := range n.operands {
		n.depth = max(n.depth, operand.depth+1)
	}
	p.checkDepth(n.depth)
	p.count(n.position)
	return n
}

func (p *parser) checkDepth(depth int) {
	if depth > DepthMax {
		p.failHere(ErrLimit, fmt.Sprintf("it is more than %d operators or brackets deep here: write it flatter, with AND and OR in one bracket", DepthMax))
	}
}

func (p *parser) count(position int) {
	if p.terms++; p.terms > TermsMax {
		p.failAt(ErrLimit, position, fmt.Sprintf("it has more than %d terms: shorten it, or choose in the consumer", TermsMax))
	}
}

// expression reads operands and the operators between them that bind at least as tightly as lowest.
func (p *parser) expression(lowest int) *node {
	left, highest := p.unary(), levelComparison
	for {
		level := p.infixLevel()
		// An operator that binds tighter than the one before would have to take only a part of left,
		// and IS NULL, which ends in no operand, leaves it none: a IS NULL CONTAINS 'x' is no expression.
		if level < lowest || level > highest {
			return left
		}
		left, highest = p.infix(left, level), level
	}
}

// infixLevel is 0 for what is no operator between or behind operands.
func (p *parser) infixLevel() int {
	if p.token.kind != tokenReserved {
		return 0
	}
	switch p.token.text {
	case "OR":
		return levelOr
	case "AND":
		return levelAnd
	case "=", "<>", "!=", "IS":
		return levelEquality
	case "<", "<=", ">", ">=", "NOT", "BETWEEN", "IN", "CONTAINS", "STARTSWITH", "ENDSWITH":
		return levelComparison
	}
	return 0
}

// infix reads an operator and what stands right of it.
func (p *parser) infix(left *node, level int) *node {
	sign := p.take()
	switch sign.text {
	case "OR":
		return p.logic(operatorOr, sign, left, p.expression(level+1))
	case "AND":
		return p.logic(operatorAnd, sign, left, p.expression(level+1))
	case "=":
		return p.equality(sign, false, left, p.expression(level+1))
	case "<>", "!=":
		return p.equality(sign, true, left, p.expression(level+1))
	case "IS":
		return p.isNull(sign, left)
	case "<":
		return p.ordering(operatorLess, sign, left, p.unary())
	case "<=":
		return p.ordering(operatorLessOrEqual, sign, left, p.unary())
	case ">":
		return p.ordering(operatorGreater, sign, left, p.unary())
	case ">=":
		return p.ordering(operatorGreaterOrEqual, sign, left, p.unary())
	case "NOT":
		return p.test(p.take(), true, left)
	}
	return p.test(sign, false, left)
}

func (p *parser) isNull(sign token, left *node) *node {
	negated := p.is("NOT")
	if negated {
		p.advance()
	}
	p.expect("NULL", "write IS NULL or IS NOT NULL")
	return p.add(&node{operator: operatorIsNull, negated: negated, position: sign.position, operands: []*node{left}})
}

// test reads the operators that may have a NOT in front of them.
func (p *parser) test(word token, negated bool, left *node) *node {
	n := &node{negated: negated, position: word.position, operands: []*node{left}}
	if word.kind != tokenReserved {
		word.text = ""
	}
	switch word.text {
	case "BETWEEN":
		return p.between(n)
	case "IN":
		return p.in(n)
	case "CONTAINS":
		n.operator = operatorContains
	case "STARTSWITH":
		n.operator = operatorStartsWith
	case "ENDSWITH":
		n.operator = operatorEndsWith
	default:
		p.failAt(ErrSyntax, word.position, "NOT behind a value needs BETWEEN, IN, CONTAINS, STARTSWITH or ENDSWITH behind it")
		return n
	}
	n.texts = textSet{list: []string{p.text(word.text)}}
	return p.add(n)
}

func (p *parser) between(n *node) *node {
	n.operator = operatorBetween
	low := p.unary()
	p.expect("AND", "write BETWEEN low AND high")
	n.operands = append(n.operands, low, p.unary())
	p.checkBetween(n)
	return p.add(n)
}

func (p *parser) in(n *node) *node {
	n.operator = operatorIn
	p.checkIn(n)
	p.expect("(", "write IN ('a', 'b')")
	list := []string{p.text("IN")}
	for p.is(",") {
		p.advance()
		list = append(list, p.text("IN"))
	}
	p.expect(")", "write , between the texts of a list and ) behind it")
	n.texts = newTextSet(list)
	return p.add(n)
}

// text reads what must be a text, with or without an operator's brackets around it.
func (p *parser) text(word string) string {
	p.count(p.token.position)
	if p.token.kind != tokenText {
		p.failHere(ErrSyntax, fmt.Sprintf("%s takes texts only and there is %v: write it in single quotes", word, p.token))
	}
	return p.take().text
}

// unary reads an operand with its signs. All recursion of the parser passes here.
func (p *parser) unary() *node {
	p.depth++
	defer func() { p.depth-- }()
	p.checkDepth(p.depth)
	sign := p.token
	switch {
	case p.is("+"):
		p.advance()
		return p.unary()
	case p.is("-"):
		p.advance()
		return p.add(&node{operator: operatorMinus, position: sign.position, operands: []*node{p.unary()}})
	case p.is("NOT"):
		p.advance()
		return p.add(&node{operator: operatorNot, position: sign.position, operands: []*node{p.condition(p.unary())}})
	case p.is("("):
		p.advance()
		inner := p.expression(levelOr)
		p.expect(")", "close the bracket")
		return inner
	}
	return p.primary(p.take())
}

func (p *parser) primary(t token) *node {
	n := &node{position: t.position}
	switch {
	case t.kind == tokenName:
		n.operator, n.name = operatorProperty, t.text
	case t.kind == tokenText:
		n.constant = value{kind: kindText, text: t.text}
	case t.kind == tokenInteger:
		n.constant = p.integer(t)
	case t.kind == tokenDouble:
		n.constant = p.double(t)
	case t.kind == tokenReserved && t.text == "NULL":
	case t.kind == tokenReserved && (t.text == "TRUE" || t.text == "FALSE"):
		n.constant = truthValue(t.text == "TRUE")
	default:
		p.failAt(ErrSyntax, t.position, fmt.Sprintf("there must be a property, a constant or a bracket and there is %v%s", t, adviceOn(t)))
	}
	return p.add(n)
}

// adviceOn is about what is often written where an operand belongs.
func adviceOn(t token) string {
	switch {
	case t.kind == tokenEnd:
		return ": write the missing piece, as in a > 5"
	case t.text == "=":
		return ": write one = to compare"
	case isNameStart(t.text[0]):
		return ": keywords cannot be names of properties"
	}
	return ""
}

func (p *parser) integer(t token) value {
	number, ok := parseInteger(t.text)
	if !ok {
		p.failAt(ErrOperand, t.position, fmt.Sprintf("%v does not fit 64 bits: write it with a point, as a double", t))
	}
	return integerValue(number)
}

// double refuses what the reference does, zero included.
func (p *parser) double(t token) value {
	number, err := strconv.ParseFloat(t.text, 64)
	switch {
	case err != nil && number != 0:
		p.failAt(ErrOperand, t.position, fmt.Sprintf("%v is above the range of a double: write a smaller number", t))
	case number == 0:
		p.failAt(ErrOperand, t.position, fmt.Sprintf("%v is zero, or below the range of a double, and brokers refuse both: write 0, or compare with a small number such as 1e-300", t))
	}
	return value{kind: kindDouble, double: number}
}
