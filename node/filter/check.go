package filter

import (
	"fmt"
	"strings"
)

// The checks of this file refuse what the reference refuses when it compiles. They fail at the operand that does not fit.

// condition makes sure that n can be an operand of AND, OR and NOT or the whole expression.
func (p *parser) condition(n *node) *node {
	if !n.isCondition() && n.operator != operatorProperty {
		p.failAt(ErrOperand, n.position, fmt.Sprintf("%s is neither true nor false: compare it with something", n.shown()))
	}
	return n
}

// logic joins two conditions. What is nested only because of how it was written becomes one node, so that a
// chain of a thousand is not deep; the order of evaluation stays the same.
func (p *parser) logic(operator operator, sign token, left, right *node) *node {
	chain, next := p.condition(left), []*node{p.condition(right)}
	if right.operator == operator {
		next = right.operands
	}
	if chain.operator != operator {
		chain = p.add(&node{operator: operator, position: sign.position, operands: []*node{left}})
	}
	chain.operands = append(chain.operands, next...)
	for _, operand := range next {
		chain.depth = max(chain.depth, operand.depth+1)
	}
	p.checkDepth(chain.depth)
	return chain
}

// equality refuses NULL, and TRUE or FALSE on the left of another constant.
func (p *parser) equality(sign token, negated bool, left, right *node) *node {
	for _, operand := range []*node{left, right} {
		if operand.isConstant() && operand.constant.kind == kindAbsent {
			p.failAt(ErrOperand, operand.position, "NULL is not equal to anything: write IS NULL or IS NOT NULL")
		}
	}
	if left.isTruth() && right.isConstant() && !right.isTruth() {
		p.failAt(ErrOperand, right.position, fmt.Sprintf("%s cannot be compared with %s: write TRUE or FALSE, or a property", right.shown(), left.shown()))
	}
	return p.add(&node{operator: operatorEqual, negated: negated, position: sign.position, operands: []*node{left, right}})
}

func (p *parser) ordering(operator operator, sign token, left, right *node) *node {
	n := &node{operator: operator, position: sign.position, operands: []*node{left, right}}
	p.checkOrdered(n)
	return p.add(n)
}

// checkOrdered lets properties, numbers and what has a minus sign be ordered.
func (p *parser) checkOrdered(n *node) {
	for _, operand := range n.operands {
		switch {
		case operand.operator == operatorNot:
			p.failAt(ErrOperand, operand.position, fmt.Sprintf("NOT binds tighter than %v: write NOT (a %v 1)", n.operator, n.operator))
		case operand.isConstant() && operand.constant.kind == kindText:
			p.failAt(ErrOperand, operand.position, fmt.Sprintf("%s is a text, and %v orders numbers: write = or <>, or a number without quotes", operand.shown(), n.operator))
		case operand.isCondition():
			p.failAt(ErrOperand, operand.position, fmt.Sprintf("%s is a condition, and %v orders numbers: write a property or a number, and join conditions with AND", operand.shown(), n.operator))
		}
	}
}

// checkBetween also refuses bounds that no number lies between. Those of NOT BETWEEN may be so.
func (p *parser) checkBetween(n *node) {
	p.checkOrdered(n)
	low, high := n.operands[1], n.operands[2]
	if n.negated || p.failure != nil || !low.isConstant() || !high.isConstant() {
		return
	}
	if compareSame(&low.constant, &high.constant) > 0 {
		p.failAt(ErrOperand, low.position, fmt.Sprintf("%s is above %s, so nothing lies between them: write the lower one first", low.shown(), high.shown()))
	}
}

func (p *parser) checkIn(n *node) {
	switch left := n.operands[0]; left.operator {
	case operatorProperty:
	case operatorNot:
		p.failAt(ErrOperand, left.position, "NOT binds tighter than IN: write a NOT IN ('x') or NOT (a IN ('x'))")
	default:
		p.failAt(ErrOperand, left.position, fmt.Sprintf("IN needs a property on its left and there is %s: write a IN ('x', 'y')", left.shown()))
	}
}

// shown is the canonical form of a node, cut for an error.
func (n *node) shown() string {
	var text strings.Builder
	n.write(&text, levelOr)
	return abbreviate(text.String())
}
