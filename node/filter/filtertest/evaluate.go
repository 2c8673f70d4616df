package filtertest

import (
	"fmt"
	"math"
	"strings"
)

// Matches reports whether a broker delivers a message with these properties.
func (t *Tree) Matches(properties map[string]string) bool {
	result, err := t.Evaluate(properties)
	return err == nil && result == true
}

// Evaluate returns true, false, or nil for unknown. The error is one of those that a broker logs before
// it passes the message over. The tree must be one that is not Refused.
func (t *Tree) Evaluate(properties map[string]string) (any, error) {
	return t.truth(properties)
}

// truth evaluates what stands where a truth value belongs. A property there would have to
// be a boolean to be true, and properties are texts.
func (t *Tree) truth(properties map[string]string) (any, error) {
	result, err := t.evaluate(properties)
	if _, isText := result.(string); isText {
		return false, err
	}
	return result, err
}

// evaluate returns nil, bool, string, int32, int64 or float64.
func (t *Tree) evaluate(properties map[string]string) (any, error) {
	switch t.Operator {
	case "constant":
		return javaClass(t.Constant), nil
	case "property":
		if text, ok := properties[t.Name]; ok {
			return text, nil
		}
		return nil, nil
	case "OR":
		return t.chain(properties, true)
	case "AND":
		return t.chain(properties, false)
	case "NOT":
		return not(t.Operands[0].truth(properties))
	case "-":
		return minus(t.Operands[0].evaluate(properties))
	case "=":
		return t.equals(properties)
	case "<>":
		return not(t.equals(properties))
	case "IS NULL":
		return t.isNull(properties)
	case "IS NOT NULL":
		return not(t.isNull(properties))
	case "BETWEEN", "NOT BETWEEN":
		return t.asTwo().evaluate(properties)
	case "IN":
		return t.in(properties)
	case "NOT IN":
		return not(t.in(properties))
	case "<", "<=", ">", ">=":
		return t.order(properties)
	}
	return t.search(properties)
}

// javaClass gives an integer the size it has in Java: the smaller of the two that it fits.
func javaClass(constant any) any {
	if number, ok := constant.(int64); ok && number >= math.MinInt32 && number <= math.MaxInt32 {
		return int32(number)
	}
	return constant
}

func (t *Tree) chain(properties map[string]string, decides bool) (any, error) {
	var result any = !decides
	for _, operand := range t.Operands {
		truth, err := operand.truth(properties)
		if err != nil {
			return nil, err
		}
		if truth == decides {
			return decides, nil
		}
		if truth == nil {
			result = nil
		}
	}
	return result, nil
}

func not(truth any, err error) (any, error) {
	if truth == nil || err != nil {
		return nil, err
	}
	return truth == false, nil
}

func minus(operand any, err error) (any, error) {
	switch number := operand.(type) {
	case int32:
		return -number, err
	case int64:
		return -number, err
	case float64:
		return -number, err
	}
	return nil, err
}

// asTwo tells BETWEEN by the two comparisons it stands for.
func (t *Tree) asTwo() *Tree {
	join, low, high := "AND", ">=", "<="
	if t.Operator == "NOT BETWEEN" {
		join, low, high = "OR", "<", ">"
	}
	return &Tree{Operator: join, Operands: []*Tree{
		{Operator: low, Operands: []*Tree{t.Operands[0], t.Operands[1]}},
		{Operator: high, Operands: []*Tree{t.Operands[0], t.Operands[2]}},
	}}
}

func (t *Tree) isNull(properties map[string]string) (any, error) {
	operand, err := t.Operands[0].evaluate(properties)
	return operand == nil, err
}

func (t *Tree) equals(properties map[string]string) (any, error) {
	left, err := t.Operands[0].evaluate(properties)
	if err != nil {
		return nil, err
	}
	right, err := t.Operands[1].evaluate(properties)
	switch {
	case err != nil:
		return nil, err
	case left == nil && right == nil:
		return true, nil
	case left == nil:
		return nil, nil
	case right == nil:
		return false, nil
	}
	order, err := compare(left, right)
	return order == 0, err
}

func (t *Tree) order(properties map[string]string) (any, error) {
	left, err := t.Operands[0].evaluate(properties)
	if left == nil || err != nil {
		return nil, err
	}
	right, err := t.Operands[1].evaluate(properties)
	if right == nil || err != nil {
		return nil, err
	}
	// Text has no order of its own: two texts are taken for numbers.
	if _, isText := right.(string); isText {
		if text, isText := left.(string); isText {
			if left, err = asDouble(text); err != nil {
				return nil, err
			}
		}
	}
	order, err := compare(left, right)
	holds := map[string]bool{"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}
	return holds[t.Operator], err
}

func (t *Tree) in(properties map[string]string) (any, error) {
	operand, err := t.Operands[0].evaluate(properties)
	if operand == nil || err != nil {
		return nil, err
	}
	for _, text := range t.Texts {
		if text == operand {
			return true, nil
		}
	}
	return false, nil
}

// search is never unknown: what cannot be searched is false, with NOT and without.
func (t *Tree) search(properties map[string]string) (any, error) {
	wanted := t.Texts[0]
	if wanted == "" {
		return false, nil
	}
	operand, err := t.Operands[0].evaluate(properties)
	text, isText := operand.(string)
	if err != nil || !isText {
		return false, err
	}
	operator, isNegated := strings.CutPrefix(t.Operator, "NOT ")
	var found bool
	switch operator {
	case "CONTAINS":
		found = strings.Contains(text, wanted)
	case "STARTSWITH":
		found = strings.HasPrefix(text, wanted)
	case "ENDSWITH":
		found = strings.HasSuffix(text, wanted)
	default:
		return nil, fmt.Errorf("there is no operator %q", t.Operator)
	}
	return found != isNegated, nil
}
