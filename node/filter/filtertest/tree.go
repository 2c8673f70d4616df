package filtertest

// Choose returns a number from 0 to below n, for an n above 0. It is the source of chance.
type Choose func(n int) int

// Tree is an expression. Operator says which of the other fields count:
//
//	"constant"                                 Constant
//	"property"                                 Name
//	OR AND                                     two or more Operands
//	NOT - IS NULL, IS NOT NULL                 one
//	= <> < <= > >=                             two
//	BETWEEN, NOT BETWEEN                       three: the value, the lower and the upper bound
//	IN, NOT IN                                 one, and Texts
//	CONTAINS STARTSWITH ENDSWITH and NOT …     one, and one of Texts
type Tree struct {
	Operator string
	Operands []*Tree
	Constant any // nil for NULL, bool, string, int64 not below 0, or float64 above 0
	Name     string
	Texts    []string
}

// The operators, by how tightly they bind, from loosest to tightest. NOT, the minus and
// what has no operator bind tighter than all of them.
var operatorsOfLevel = [][]string{
	{"OR"},
	{"AND"},
	{"=", "<>", "IS NULL", "IS NOT NULL"},
	{"<", "<=", ">", ">=", "BETWEEN", "NOT BETWEEN", "IN", "NOT IN",
		"CONTAINS", "NOT CONTAINS", "STARTSWITH", "NOT STARTSWITH", "ENDSWITH", "NOT ENDSWITH"},
	{"NOT", "-"},
	{"constant", "property"},
}

// level is the row of an operator in operatorsOfLevel.
func level(operator string) int {
	for level, operators := range operatorsOfLevel {
		for _, o := range operators {
			if o == operator {
				return level
			}
		}
	}
	return -1
}

const (
	levelOr = iota
	levelAnd
	levelEquality
	levelComparison
	levelUnary
)
