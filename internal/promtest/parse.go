package promtest

import (
	"fmt"
	"regexp"
	"slices"
)

// Expression is what an expression names.
type Expression struct {
	Selectors []Selector
	// Labels are those by which results are grouped or joined.
	Labels []string
}

// Selector names series.
type Selector struct {
	Metric   string
	Matchers []Matcher
}

// Matcher is a condition on a label.
type Matcher struct{ Label, Operator, Value string }

// String is the selector as it is written.
func (s Selector) String() string { return fmt.Sprint(s.Metric, s.Matchers) }

// Parse reads an expression of the query language. The error says where it is wrong.
func Parse(text string) (*Expression, error) {
	all, err := tokens(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	p := &parser{tokens: all, found: &Expression{}}
	if _, err = p.operation(0); err == nil && p.peek().kind != endOfText {
		err = p.unexpected("an operator or the end")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	return p.found, nil
}

// parser goes through the words once, and gathers what they name.
type parser struct {
	tokens []token
	next   int
	found  *Expression
}

func (p *parser) peek() token { return p.tokens[p.next] }

func (p *parser) take() token {
	t := p.tokens[p.next]
	if t.kind != endOfText {
		p.next++
	}
	return t
}

// accept takes the next word if it is that sign or name.
func (p *parser) accept(text string) bool {
	if t := p.peek(); (t.kind == signToken || t.kind == nameToken) && t.text == text {
		p.next++
		return true
	}
	return false
}

func (p *parser) expect(text string) error {
	if !p.accept(text) {
		return p.unexpected(fmt.Sprintf("%q", text))
	}
	return nil
}

func (p *parser) unexpected(wanted string) error {
	return fmt.Errorf("at byte %d: want %s, not %v", p.peek().at, wanted, p.peek())
}

// levels are the binary operators, those that bind least first.
var levels = [][]string{{"or"}, {"and", "unless"}, {"==", "!=", ">", "<", ">=", "<="}, {"+", "-"}, {"*", "/", "%", "atan2"}, {"^"}}

const comparisons, powers = 2, 5

// operation reads operands with operators of a level and those that bind more.
func (p *parser) operation(level int) (valueType, error) {
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.operation(level + 1)
	for err == nil && slices.Contains(levels[level], p.peek().text) && p.peek().kind != stringToken {
		operator := p.take()
		if err = p.operatorModifiers(level); err != nil {
			break
		}
		behind := level + 1
		if level == powers {
			behind = level // 2 ^ 3 ^ 2 is 2 ^ (3 ^ 2)
		}
		var right valueType
		if right, err = p.operation(behind); err == nil {
			left, err = combine(operator, level, left, right)
		}
	}
	return left, err
}

func combine(operator token, level int, left, right valueType) (valueType, error) {
	for _, side := range []valueType{left, right} {
		if side != scalar && side != vector || side == scalar && level < comparisons {
			return nothing, fmt.Errorf("at byte %d: %s cannot be applied to %s", operator.at, operator.text, side)
		}
	}
	if left == scalar && right == scalar {
		return scalar, nil
	}
	return vector, nil
}

// operatorModifiers reads bool, on, ignoring and group_left or group_right.
func (p *parser) operatorModifiers(level int) error {
	if level == comparisons {
		p.accept("bool")
	}
	if p.accept("on") || p.accept("ignoring") {
		if err := p.labels(); err != nil {
			return err
		}
		if p.accept("group_left") || p.accept("group_right") {
			if p.peek().text == "(" {
				return p.labels()
			}
		}
	}
	return nil
}

// labels reads names in round brackets.
func (p *parser) labels() error {
	if err := p.expect("("); err != nil {
		return err
	}
	for !p.accept(")") {
		if p.peek().kind != nameToken {
			return p.unexpected("the name of a label")
		}
		p.found.Labels = append(p.found.Labels, p.take().text)
		if !p.accept(",") && p.peek().text != ")" {
			return p.unexpected(`"," or ")"`)
		}
	}
	return nil
}

func (p *parser) unary() (valueType, error) {
	if p.accept("-") || p.accept("+") {
		// A sign binds less than ^.
		return p.operation(powers)
	}
	kind, err := p.operand()
	if err != nil {
		return kind, err
	}
	return p.suffixes(kind)
}

// suffixes reads a range, an offset and a moment.
func (p *parser) suffixes(kind valueType) (valueType, error) {
	if p.accept("[") {
		if kind != vector {
			return kind, p.unexpected("no range behind " + string(kind))
		}
		kind = ranged
		if err := p.rangeBehind(); err != nil {
			return kind, err
		}
	}
	for p.accept("offset") {
		p.accept("-")
		if p.take().kind != durationToken {
			return kind, p.unexpected("a duration")
		}
	}
	return kind, nil
}

// rangeBehind reads 5m] and 5m:1m], which is a query within a query.
func (p *parser) rangeBehind() error {
	if p.take().kind != durationToken {
		return p.unexpected("a duration")
	}
	if p.accept(":") && p.peek().kind == durationToken {
		p.take()
	}
	return p.expect("]")
}

func (p *parser) operand() (valueType, error) {
	switch t := p.peek(); {
	case t.kind == numberToken:
		p.take()
		return scalar, nil
	case t.kind == stringToken:
		p.take()
		return quoted, nil
	case p.accept("("):
		kind, err := p.operation(0)
		if err == nil {
			err = p.expect(")")
		}
		return kind, err
	case t.text == "{" && t.kind == signToken:
		return vector, p.selector("")
	case t.kind == nameToken:
		return p.named(p.take())
	}
	return nothing, p.unexpected("a number, a metric, a function or a bracket")
}

// named reads what begins with a name: an aggregation, a call or a selector.
func (p *parser) named(name token) (valueType, error) {
	before, aggregates := aggregations[name.text]
	following := p.peek().text
	switch {
	case aggregates && (following == "(" || following == "by" || following == "without"):
		return vector, p.aggregation(before)
	case following == "(" && p.peek().kind == signToken:
		return p.call(name)
	}
	return vector, p.selector(name.text)
}

func (p *parser) aggregation(before valueType) error {
	grouped := false
	group := func() error {
		if grouped || !p.accept("by") && !p.accept("without") {
			return nil
		}
		grouped = true
		return p.labels()
	}
	if err := group(); err != nil {
		return err
	}
	takes := []valueType{vector}
	if before != nothing {
		takes = []valueType{before, vector}
	}
	if err := p.arguments("the aggregation", function{takes: takes}); err != nil {
		return err
	}
	return group()
}

func (p *parser) call(name token) (valueType, error) {
	f, known := functions[name.text]
	if !known {
		return nothing, fmt.Errorf("at byte %d: there is no function %s", name.at, name.text)
	}
	return f.gives, p.arguments(name.text, f)
}

func (p *parser) arguments(name string, f function) error {
	if err := p.expect("("); err != nil {
		return err
	}
	given := 0
	for !p.accept(")") {
		at := p.peek().at
		kind, err := p.operation(0)
		if err != nil {
			return err
		}
		if given >= len(f.takes) && !f.variadic {
			return fmt.Errorf("at byte %d: %s takes %d arguments", at, name, len(f.takes))
		}
		if want := f.takes[min(given, len(f.takes)-1)]; kind != want {
			return fmt.Errorf("at byte %d: %s wants %s, not %s", at, name, want, kind)
		}
		given++
		if !p.accept(",") && p.peek().text != ")" {
			return p.unexpected(`"," or ")"`)
		}
	}
	if given < len(f.takes)-f.optional {
		return fmt.Errorf("%s takes %d arguments, not %d", name, len(f.takes), given)
	}
	return nil
}

// selector reads the conditions behind the name of a metric.
func (p *parser) selector(metric string) error {
	s := Selector{Metric: metric}
	if p.accept("{") {
		for !p.accept("}") {
			m, err := p.matcher()
			if err != nil {
				return err
			}
			s.Matchers = append(s.Matchers, m)
			if !p.accept(",") && p.peek().text != "}" {
				return p.unexpected(`"," or "}"`)
			}
		}
	}
	if metric == "" && len(s.Matchers) == 0 {
		return fmt.Errorf("at byte %d: a selector names a metric or a label", p.peek().at)
	}
	p.found.Selectors = append(p.found.Selectors, s)
	return nil
}

func (p *parser) matcher() (m Matcher, err error) {
	if p.peek().kind != nameToken {
		return m, p.unexpected("the name of a label")
	}
	m.Label = p.take().text
	if !slices.Contains([]string{"=", "!=", "=~", "!~"}, p.peek().text) {
		return m, p.unexpected("=, !=, =~ or !~")
	}
	m.Operator = p.take().text
	if p.peek().kind != stringToken {
		return m, p.unexpected("a string")
	}
	m.Value = p.take().text
	if m.Operator == "=~" || m.Operator == "!~" {
		_, err = regexp.Compile(m.Value)
	}
	return m, err
}
