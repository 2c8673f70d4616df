package proto

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrJSON is under every error of Strict.
var ErrJSON = errors.New("not JSON, nor fastjson's dialect of it")

// SyntaxError says where a text stops being JSON.
type SyntaxError struct {
	Offset  int    // byte in the source
	Problem string // in words
}

// Error names the place and the problem.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%v: %s at byte %d", ErrJSON, e.Problem, e.Offset)
}

// Unwrap returns ErrJSON.
func (e *SyntaxError) Unwrap() error { return ErrJSON }

const (
	// MaxDepth is how deep objects and arrays may nest. Bodies of the protocol stay below ten.
	MaxDepth = 64
	// maxGrowth bounds the output: len(out) ≤ maxGrowth·len(src) + growthBase.
	maxGrowth  = 8
	growthBase = 64
)

// Strict turns a text of the dialect that Java peers write and read (fastjson) into strict
// JSON with the same meaning. src is not changed and the result does not share its memory.
//
//   - Keys may be bare numbers or words, and become strings: {0:1,a:2} is {"0":1,"a":2}.
//   - A key may be an object, and becomes a string that holds that object's text:
//     {{"queueId":0}:1} is {"{\"queueId\":0}":1}. Such keys do not nest.
//   - Strings may stand in single quotes, may hold raw control characters and the
//     escapes \' \v \F \xHH and \0 to \7.
//   - Numbers may have a leading plus, leading zeros, no digits on one side of the
//     point, and a type letter (B S L F D).
//   - Commas may lead, trail and repeat. Comments count as blanks.
//   - NaN, Infinity and undefined become null, new Date(1) becomes 1, Set[…] and TreeSet[…] are
//     arrays.
//   - {"$ref":"$.a[0]"} becomes a copy of what it points to; see resolveReferences.
//
// Bytes that are not UTF-8 become U+FFFD. Strict JSON keeps its meaning, the texts of its
// numbers, and unless it holds references the order of its keys.
//
// The work is linear in len(src) and so is the result. Errors are *SyntaxError, or ErrJSON when
// references would blow the text up.
func Strict(src []byte) ([]byte, error) {
	t := translator{src: src, keyAt: -1}
	t.out = make([]byte, 0, len(src)+len(src)/8+16)
	if err := t.run(); err != nil {
		return nil, err
	}
	if bytes.Contains(t.out, []byte(`"$ref"`)) {
		return resolveReferences(t.out, maxGrowth*len(src)+growthBase)
	}
	return t.out, nil
}

// translator reads src from pos and appends strict JSON to out. It keeps the open
// containers on a stack of its own: input cannot make it recurse.
type translator struct {
	src   []byte
	pos   int
	out   []byte
	stack [MaxDepth]container
	depth int
	// keyAt is where in out the object begins that is being read as a key; -1: none.
	keyAt int
}

// container is an open object or array.
type container struct {
	object  bool
	isKey   bool // the object stands where a key belongs
	filled  bool // has an element
	needSep bool // an element has just ended: a comma or the end must follow
	atValue bool // object: a key has been read, a colon and a value must follow
}

func (t *translator) fail(problem string) error {
	return &SyntaxError{Offset: t.pos, Problem: problem}
}

// run translates the whole text: one value, with nothing but blanks around it.
func (t *translator) run() error {
	t.src = bytes.TrimPrefix(t.src, []byte("\ufeff"))
	if err := t.blanks(); err != nil {
		return err
	}
	if err := t.value(); err != nil {
		return err
	}
	for {
		if err := t.blanks(); err != nil {
			return err
		}
		if t.depth == 0 {
			break
		}
		if err := t.step(); err != nil {
			return err
		}
	}
	if t.pos < len(t.src) {
		return t.fail("text after the end")
	}
	return nil
}

// step reads one comma, end, key or element of the innermost container.
func (t *translator) step() error {
	if t.pos == len(t.src) {
		return t.fail("unexpected end")
	}
	top, c := &t.stack[t.depth-1], t.src[t.pos]
	switch {
	case top.atValue:
		return t.member(top)
	case c == ',':
		// Repeated commas count as one, as fastjson has it.
		t.pos++
		top.needSep = false
		return nil
	case c == '}' && top.object, c == ']' && !top.object:
		t.pos++
		return t.close()
	case top.needSep:
		return t.fail("a comma is missing")
	}
	if top.filled {
		t.out = append(t.out, ',')
	}
	top.filled = true
	if top.object {
		return t.key()
	}
	top.needSep = true
	return t.value()
}

// member reads the colon and the value after a key.
func (t *translator) member(top *container) error {
	if t.src[t.pos] != ':' {
		return t.fail("a colon is missing")
	}
	t.pos++
	t.out = append(t.out, ':')
	if err := t.blanks(); err != nil {
		return err
	}
	top.atValue, top.needSep = false, true
	return t.value()
}

// value reads a scalar, or opens a container.
func (t *translator) value() error {
	if t.pos == len(t.src) {
		return t.fail("a value is missing")
	}
	switch c := t.src[t.pos]; {
	case c == '{' || c == '[':
		t.pos++
		return t.open(container{object: c == '{'})
	case c == '"' || c == '\'':
		return t.text()
	case isNumberStart(c):
		return t.numberValue()
	case isWordByte(c):
		return t.word()
	}
	return t.fail("a value is missing")
}

// key reads a key and leaves its object waiting for the value. An object as key does so when
// it closes.
func (t *translator) key() error {
	top := &t.stack[t.depth-1]
	switch c := t.src[t.pos]; {
	case c == '{':
		if t.keyAt >= 0 {
			// Quoting quotes doubles the text at each level, so levels are limited to one.
			return t.fail("an object inside a key has an object as key")
		}
		t.keyAt = len(t.out)
		t.pos++
		return t.open(container{object: true, isKey: true})
	case c == '"' || c == '\'':
		top.atValue = true
		return t.text()
	case isNumberStart(c):
		top.atValue = true
		return t.quoted(t.number)
	case isWordByte(c):
		top.atValue = true
		return t.quoted(t.bareWord)
	}
	return t.fail("a key is missing")
}

// quoted puts what read appends between quotes.
func (t *translator) quoted(read func() error) error {
	t.out = append(t.out, '"')
	if err := read(); err != nil {
		return err
	}
	t.out = append(t.out, '"')
	return nil
}

func (t *translator) open(c container) error {
	if t.depth == MaxDepth {
		t.pos-- // back to the bracket, for the message
		return t.fail("nested too deep")
	}
	t.stack[t.depth] = c
	t.depth++
	bracket := byte('[')
	if c.object {
		bracket = '{'
	}
	t.out = append(t.out, bracket)
	return nil
}

func (t *translator) close() error {
	t.depth--
	closed := t.stack[t.depth]
	if closed.object {
		t.out = append(t.out, '}')
	} else {
		t.out = append(t.out, ']')
	}
	if closed.isKey {
		t.quoteKey()
		t.stack[t.depth-1].atValue = true
	}
	return nil
}

// quoteKey turns the object that ends out into a string that holds its text.
func (t *translator) quoteKey() {
	object := bytes.Clone(t.out[t.keyAt:])
	t.out = append(t.out[:t.keyAt], '"')
	for _, c := range object {
		if c == '"' || c == '\\' {
			t.out = append(t.out, '\\')
		}
		t.out = append(t.out, c)
	}
	t.out = append(t.out, '"')
	t.keyAt = -1
}
