package filter

import "strings"

// evaluate returns what a node says about a message: for a condition a boolean or an absent value.
// A failed value goes up at once, as the reference's exception does.
//
// The order in which operands are evaluated is the reference's, because it decides
// whether a value that cannot be compared is looked at.
func (n *node) evaluate(lookup Lookup) value {
	switch n.operator {
	case operatorConstant:
		return n.constant
	case operatorProperty:
		if text, ok := lookup(n.name); ok {
			return value{kind: kindText, text: text}
		}
		return value{}
	case operatorOr:
		return n.evaluateUntil(true, lookup)
	case operatorAnd:
		return n.evaluateUntil(false, lookup)
	case operatorNot:
		result := n.operands[0].evaluateCondition(lookup)
		result.truth = !result.truth
		return result
	case operatorMinus:
		return negate(n.operands[0].evaluate(lookup))
	}
	return n.evaluateTest(lookup)
}

// evaluateCondition evaluates an operand of AND, OR or NOT, or the whole. A property would count as true if it were a
// boolean, but in messages it is always a text.
func (n *node) evaluateCondition(lookup Lookup) value {
	result := n.evaluate(lookup)
	if n.operator == operatorProperty && result.kind == kindText {
		return truthValue(false)
	}
	return result
}

// evaluateUntil evaluates operands of AND or OR up to the one that decides.
func (n *node) evaluateUntil(decisive bool, lookup Lookup) value {
	unknown := false
	for _, operand := range n.operands {
		result := operand.evaluateCondition(lookup)
		switch {
		case result.kind == kindFailed:
			return result
		case result.kind == kindAbsent:
			unknown = true
		case result.truth == decisive:
			return result
		}
	}
	if unknown {
		return value{}
	}
	return truthValue(!decisive)
}

// negate changes the sign of a number; of everything else it makes an absent value.
func negate(v value) value {
	switch {
	case v.kind.isNumber():
		v.number, v.double = -v.number, -v.double
		return v
	case v.kind == kindFailed:
		return v
	}
	return value{}
}

// evaluateTest evaluates the operators that make a condition of a value.
func (n *node) evaluateTest(lookup Lookup) value {
	switch n.operator {
	case operatorContains, operatorStartsWith, operatorEndsWith:
		return n.evaluateSearch(lookup)
	}
	left := n.operands[0].evaluate(lookup)
	if left.kind == kindFailed {
		return left
	}
	var result value
	switch n.operator {
	case operatorIsNull:
		result = truthValue(left.kind == kindAbsent)
	case operatorEqual:
		result = n.equal(left, n.operands[1].evaluate(lookup))
	case operatorIn:
		if left.kind == kindText {
			result = truthValue(n.texts.contains(left.text))
		}
	case operatorBetween:
		return n.between(left, lookup)
	default:
		return n.order(n.operator, left, n.operands[1], lookup)
	}
	result.truth = result.truth != n.negated
	return result
}

// evaluateSearch is false, not unknown, for a property that is absent, and also if it is negated
// or looks for an empty text.
func (n *node) evaluateSearch(lookup Lookup) value {
	search := n.texts.list[0]
	if search == "" {
		return truthValue(false)
	}
	left := n.operands[0].evaluate(lookup)
	if left.kind != kindText {
		if left.kind == kindFailed {
			return left
		}
		return truthValue(false)
	}
	return truthValue(n.found(left.text, search) != n.negated)
}

func (n *node) found(text, search string) bool {
	switch n.operator {
	case operatorContains:
		return strings.Contains(text, search)
	case operatorStartsWith:
		return strings.HasPrefix(text, search)
	}
	return strings.HasSuffix(text, search)
}

// equal is not symmetric: an absent value on the left makes it unknown, one on the right makes
// it false, and two are equal.
func (n *node) equal(left, right value) value {
	switch {
	case right.kind == kindFailed:
		return right
	case left.kind == kindAbsent && right.kind == kindAbsent:
		return truthValue(true)
	case left.kind == kindAbsent:
		return value{}
	case right.kind == kindAbsent:
		return truthValue(false)
	}
	order, ok := compare(left, right)
	if !ok {
		return n.failure(left, right)
	}
	return truthValue(order == 0)
}

// between compares with both bounds, and with the second only if the first did not decide.
func (n *node) between(middle value, lookup Lookup) value {
	first, second, decisive := operatorGreaterOrEqual, operatorLessOrEqual, false
	if n.negated {
		first, second, decisive = operatorLess, operatorGreater, true
	}
	low := n.order(first, middle, n.operands[1], lookup)
	if low.kind == kindFailed || low.kind == kindBoolean && low.truth == decisive {
		return low
	}
	high := n.order(second, middle, n.operands[2], lookup)
	if low.kind == kindAbsent && high.kind == kindBoolean && high.truth != decisive {
		return value{}
	}
	return high
}

// order compares left, which has been evaluated, with a node, which is only
// evaluated if left is there. Two texts are read as doubles.
func (n *node) order(comparison operator, left value, node *node, lookup Lookup) value {
	if left.kind == kindAbsent {
		return value{}
	}
	right := node.evaluate(lookup)
	if right.isMissing() {
		return right
	}
	if left.kind == kindText && right.kind == kindText {
		double, ok := convert(left.text, kindDouble)
		if !ok {
			return n.failed(left.text, kindDouble)
		}
		left = double
	}
	order, ok := compare(left, right)
	if !ok {
		return n.failure(left, right)
	}
	return truthValue(holds(comparison, order))
}

func holds(comparison operator, order int) bool {
	switch comparison {
	case operatorLess:
		return order < 0
	case operatorLessOrEqual:
		return order <= 0
	case operatorGreater:
		return order > 0
	}
	return order >= 0
}

// failure is what remains of a comparison that could not be made: one side is a text.
func (n *node) failure(left, right value) value {
	switch {
	case left.kind == kindText:
		return n.failed(left.text, right.kind)
	case left.kind == kindBoolean:
		return n.failed(right.text, kindText)
	}
	return n.failed(right.text, left.kind)
}

func (n *node) failed(text string, wanted kind) value {
	return value{kind: kindFailed, wanted: wanted, number: int64(n.position), text: text}
}
