package filtertest

import "math"

// The pools are small, so that constants and values meet, and lie at the edges.
var (
	names = []string{"a", "b", "c", "TAGS", "_d$1"}

	integers = []int64{0, 5, 7, 1000, math.MaxInt32, math.MaxInt32 + 1, math.MaxInt64}
	doubles  = []float64{5, 5.5, 1000, 0.1, math.SmallestNonzeroFloat64, math.MaxFloat64, 1 << 53, math.MaxInt64}
	texts    = []string{"5", "abc", "b", "true", "", "it's", "''", "Ünïcode €", "-- no comment", "5.0"}

	values = []string{
		"5", "-5", "+5", "5.0", "5.5", " 5 ", "5 5", "5d", "5L", "05", "0", "-0", "-0.0", "0.0",
		"1e3", "1E+3", "1e", ".5", "5.", ".", "-", "+", "0x1p3", "0x1.8P-1", "0x10", "1_000",
		"2147483647", "2147483648", "-2147483648", "-2147483649",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
		"1e400", "-1e400", "1e-400", "NaN", "-NaN", "nan", "Infinity", "-Infinity", "inf", "infinity",
		"true", "TRUE", "True", "false", "abc", "b", "", "it's", "Ünïcode €", "xabcx", "\x00",
	}
)

func oneOf[T any](choose Choose, pool []T) T { return pool[choose(len(pool))] }

// Generate draws an expression that is at most so many operators deep. Most can be compiled; Refused tells.
func Generate(choose Choose, depth int) *Tree {
	return condition(choose, depth)
}

// condition draws what is true or false, as a rule.
func condition(choose Choose, depth int) *Tree {
	if depth <= 1 {
		return leaf(choose, 1)
	}
	switch choose(12) {
	case 0, 1:
		return several(choose, "OR", depth)
	case 2, 3:
		return several(choose, "AND", depth)
	case 4:
		return &Tree{Operator: "NOT", Operands: []*Tree{condition(choose, depth-1)}}
	case 5:
		return &Tree{Operator: oneOf(choose, []string{"=", "<>"}), Operands: []*Tree{anything(choose, depth-1), anything(choose, depth-1)}}
	case 6:
		return &Tree{Operator: oneOf(choose, []string{"IS NULL", "IS NOT NULL"}), Operands: []*Tree{anything(choose, depth-1)}}
	case 7:
		return search(choose, depth)
	}
	return comparison(choose, depth)
}

func several(choose Choose, operator string, depth int) *Tree {
	tree := &Tree{Operator: operator}
	for range 2 + choose(2) {
		tree.Operands = append(tree.Operands, condition(choose, depth-1))
	}
	return tree
}

func search(choose Choose, depth int) *Tree {
	operator := oneOf(choose, operatorsOfLevel[levelComparison][6:])
	if operator == "IN" || operator == "NOT IN" {
		tree := &Tree{Operator: operator, Operands: []*Tree{leaf(choose, 30)}}
		for range 1 + choose(12) {
			tree.Texts = append(tree.Texts, text(choose))
		}
		return tree
	}
	return &Tree{Operator: operator, Operands: []*Tree{anything(choose, depth-1)}, Texts: []string{text(choose)}}
}

func text(choose Choose) string {
	if choose(2) == 0 {
		return oneOf(choose, texts)
	}
	return oneOf(choose, values)
}

func comparison(choose Choose, depth int) *Tree {
	operator := oneOf(choose, append([]string{"=", "<>"}, operatorsOfLevel[levelComparison][:6]...))
	tree := &Tree{Operator: operator, Operands: []*Tree{number(choose, depth-1), number(choose, depth-1)}}
	if operator == "BETWEEN" || operator == "NOT BETWEEN" {
		tree.Operands = append(tree.Operands, number(choose, depth-1))
	}
	return tree
}

// anything draws what may or may not make sense next to an operator.
func anything(choose Choose, depth int) *Tree {
	if choose(4) == 0 {
		return condition(choose, depth)
	}
	if choose(3) == 0 {
		return leaf(choose, 1)
	}
	return number(choose, depth)
}

// number draws what can be ordered, as a rule.
func number(choose Choose, depth int) *Tree {
	switch kind := choose(12); {
	case kind == 0:
		return leaf(choose, 1)
	case kind == 1 && depth > 1:
		return &Tree{Operator: "-", Operands: []*Tree{anything(choose, depth-1)}}
	case kind < 5:
		return &Tree{Operator: "constant", Constant: oneOf(choose, integers)}
	case kind < 7:
		return &Tree{Operator: "constant", Constant: oneOf(choose, doubles)}
	}
	return &Tree{Operator: "property", Name: oneOf(choose, names)}
}

// leaf draws a property, so much more often than one of the other leaves.
func leaf(choose Choose, oftener int) *Tree {
	switch choose(5 + oftener) {
	case 0:
		return &Tree{Operator: "constant", Constant: text(choose)}
	case 1:
		return &Tree{Operator: "constant", Constant: choose(2) == 0}
	case 2:
		return &Tree{Operator: "constant", Constant: oneOf(choose, integers)}
	case 3:
		return &Tree{Operator: "constant", Constant: oneOf(choose, doubles)}
	case 4:
		return &Tree{Operator: "constant"}
	}
	return &Tree{Operator: "property", Name: oneOf(choose, names)}
}

// Message draws the properties of a message. It has about two of three that Generate asks for.
func Message(choose Choose) map[string]string {
	properties := map[string]string{}
	for _, name := range names {
		if choose(3) > 0 {
			properties[name] = text(choose)
		}
	}
	return properties
}
