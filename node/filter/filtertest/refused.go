package filtertest

import (
	"fmt"
	"strings"
)

// Refused says why a broker does not compile the expression, "" if it does.
func (t *Tree) Refused() string {
	if reason := t.refusedBelow(); reason != "" {
		return reason
	}
	return t.notBoolean()
}

func (t *Tree) refusedBelow() string {
	for _, operand := range t.Operands {
		if reason := operand.refusedBelow(); reason != "" {
			return reason
		}
	}
	switch t.Operator {
	case "OR", "AND", "NOT":
		for _, operand := range t.Operands {
			if reason := operand.notBoolean(); reason != "" {
				return reason
			}
		}
	case "=", "<>":
		return t.refusedEquality()
	case "<", "<=", ">", ">=":
		return t.refusedOrder()
	case "BETWEEN", "NOT BETWEEN":
		return t.refusedBetween()
	case "IN", "NOT IN":
		if t.Operands[0].Operator != "property" {
			return "IN without a property"
		}
	}
	return ""
}

// isBoolean is about the form: an operator that makes a truth value, or one of TRUE, FALSE and NULL.
func (t *Tree) isBoolean() bool {
	if t.Operator == "constant" {
		_, isBool := t.Constant.(bool)
		return isBool || t.Constant == nil
	}
	return t.Operator != "property" && t.Operator != "-"
}

func (t *Tree) notBoolean() string {
	if t.isBoolean() || t.Operator == "property" {
		return ""
	}
	return fmt.Sprintf("%s is not boolean", t.Operator)
}

func (t *Tree) refusedEquality() string {
	left, right := t.Operands[0], t.Operands[1]
	for _, operand := range t.Operands {
		if operand.Operator == "constant" && operand.Constant == nil {
			return "equality with NULL"
		}
	}
	if left.Operator == "constant" && right.Operator == "constant" && left.isBoolean() && !right.isBoolean() {
		return "a boolean equals another constant"
	}
	return ""
}

func (t *Tree) refusedOrder() string {
	for _, operand := range t.Operands {
		_, isText := operand.Constant.(string)
		if operand.isBoolean() || isText {
			return "only numbers and properties have an order"
		}
	}
	return ""
}

func (t *Tree) refusedBetween() string {
	low, high := t.Operands[1], t.Operands[2]
	if reason := t.refusedOrder(); reason != "" {
		return reason
	}
	if strings.HasPrefix(t.Operator, "NOT") || low.Operator != "constant" || high.Operator != "constant" {
		return ""
	}
	if order, err := compare(javaClass(low.Constant), javaClass(high.Constant)); err == nil && order > 0 {
		return "the bounds are the wrong way round"
	}
	return ""
}
