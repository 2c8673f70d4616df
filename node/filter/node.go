package filter

// operator is what a node of an expression does.
type operator uint8

const (
	operatorConstant operator = iota
	operatorProperty
	operatorOr
	operatorAnd
	operatorNot
	operatorMinus
	operatorEqual
	operatorLess
	operatorLessOrEqual
	operatorGreater
	operatorGreaterOrEqual
	operatorBetween
	operatorIn
	operatorIsNull
	operatorContains
	operatorStartsWith
	operatorEndsWith
)

// words are the operators as they are written.
var words = [...]string{
	operatorOr: "OR", operatorAnd: "AND", operatorNot: "NOT", operatorMinus: "-", operatorEqual: "=",
	operatorLess: "<", operatorLessOrEqual: "<=", operatorGreater: ">", operatorGreaterOrEqual: ">=",
	operatorBetween: "BETWEEN", operatorIn: "IN", operatorIsNull: "IS NULL",
	operatorContains: "CONTAINS", operatorStartsWith: "STARTSWITH", operatorEndsWith: "ENDSWITH",
}

// String returns the operator as it is written.
func (o operator) String() string { return words[o] }

// How tightly an operator binds. In a level, the operator further left binds tighter.
const (
	levelOr = 1 + iota
	levelAnd
	levelEquality   // = <> IS NULL
	levelComparison // < BETWEEN IN CONTAINS …
	levelUnary      // NOT and the sign: tighter than all others, unlike in SQL
	levelPrimary
)

var levels = [...]int{
	operatorConstant: levelPrimary, operatorProperty: levelPrimary,
	operatorOr: levelOr, operatorAnd: levelAnd, operatorNot: levelUnary, operatorMinus: levelUnary,
	operatorEqual: levelEquality, operatorIsNull: levelEquality,
	operatorLess: levelComparison, operatorLessOrEqual: levelComparison,
	operatorGreater: levelComparison, operatorGreaterOrEqual: levelComparison,
	operatorBetween: levelComparison, operatorIn: levelComparison,
	operatorContains: levelComparison, operatorStartsWith: levelComparison, operatorEndsWith: levelComparison,
}

// node is a piece of an expression. One type serves for all, because calls through
// an interface would move every caller's Lookup to the heap.
type node struct {
	operator operator
	negated  bool    // <>, NOT IN, IS NOT NULL, …
	depth    int     // of the tree below it, itself included
	position int     // of its operator, constant or name in the expression
	operands []*node // two or more of AND and OR
	constant value
	name     string  // of a property
	texts    textSet // IN: the list; CONTAINS, STARTSWITH, ENDSWITH: the one to look for
}

// isConstant is ConstantExpression in the reference.
func (n *node) isConstant() bool { return n.operator == operatorConstant }

// isTruth reports a constant TRUE, FALSE or NULL (BooleanConstantExpression).
func (n *node) isTruth() bool {
	return n.isConstant() && (n.constant.kind == kindBoolean || n.constant.kind == kindAbsent)
}

// isCondition reports what can only be true, false or unknown (BooleanExpression). A
// property is none, although it can stand for one.
func (n *node) isCondition() bool {
	switch n.operator {
	case operatorProperty, operatorMinus:
		return false
	case operatorConstant:
		return n.isTruth()
	}
	return true
}
