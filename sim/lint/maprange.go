package lint

import (
	"go/ast"
	"go/types"
	"strings"
)

// The order of a map differs from run to run. A loop over one is let through when its order
// can be seen to reach nothing: it collects and the next statement sorts,
// or it only counts, sums integers and deletes. Any other needs a comment
// with this phrase, which gives the reason, on the line above.
const orderExcuse = "order does not matter"

const insteadOfMapOrder = "use slices.Sorted(maps.Keys(…)), sort right after collecting, " +
	"or say on the line above why the `" + orderExcuse + "`"

// excusedLines are the lines below a comment that carries the phrase.
type excusedLines map[int]bool

func (t *Tree) excusedLines(file *File) excusedLines {
	lines := excusedLines{}
	for _, group := range file.Syntax.Comments {
		if strings.Contains(strings.Join(strings.Fields(group.Text()), " "), orderExcuse) {
			lines[t.line(group.End())+1] = true
		}
	}
	return lines
}

// CheckTypedUses finds what only types show: loops over maps and channels, and forbidden methods.
func CheckTypedUses(tree *Tree, world *World, excuses *Excuses) []Finding {
	checker := NewChecker(tree, world)
	var findings []Finding
	for _, pkg := range tree.Packages {
		if !Deterministic(pkg.Path) {
			continue
		}
		for _, build := range checker.builds(pkg) {
			for _, file := range build.files {
				l := &loops{uses: uses{tree: tree, pkg: pkg, excuses: excuses, excused: tree.excusedLines(file)}, info: build.info}
				ast.Inspect(file.Syntax, l.visit)
				findings = append(findings, l.findings...)
			}
		}
	}
	return inOrder(findings)
}

// loops walks one file whose types are known.
type loops struct {
	uses
	info *types.Info
}

func (l *loops) visit(node ast.Node) bool {
	switch node := node.(type) {
	case *ast.BlockStmt:
		l.statements(node.List)
	case *ast.CaseClause:
		l.statements(node.Body)
	case *ast.CommClause:
		l.statements(node.Body)
	case *ast.SelectorExpr:
		l.method(node)
	}
	return true
}

func (l *loops) method(selector *ast.SelectorExpr) {
	function, ok := l.info.Uses[selector.Sel].(*types.Func)
	if !ok {
		return
	}
	for _, row := range forbiddenMethods {
		if function.FullName() == row.what {
			l.report(selector, row.what, row.instead)
		}
	}
}

// statements looks at the loops of one list, each with the statement that follows it.
func (l *loops) statements(list []ast.Stmt) {
	for i, statement := range list {
		inner := statement
		if labelled, ok := statement.(*ast.LabeledStmt); ok {
			inner = labelled.Stmt
		}
		if loop, ok := inner.(*ast.RangeStmt); ok && !l.excused[l.tree.line(statement.Pos())] {
			l.loop(loop, list[i+1:])
		}
	}
}

func (l *loops) loop(loop *ast.RangeStmt, after []ast.Stmt) {
	switch kind := kindOf(l.info.TypeOf(loop.X)); {
	case kind == overUnknown:
		l.report(loop, "a loop over something of unknown type", "make the package compile, then look again")
	case kind == overChannel:
		l.report(loop, "a loop over a channel", insteadOfChannel)
	case kind == overMap && !l.isHarmless(loop) && !l.collectsSorted(loop, after):
		l.report(loop, "a loop over a map", insteadOfMapOrder)
	}
}

// What a loop ranges over, as far as the rules care.
const (
	overUnknown = iota
	overChannel
	overMap
	overOther
)

func kindOf(ranged types.Type) int {
	if ranged == nil {
		return overUnknown
	}
	if parameter, ok := types.Unalias(ranged).(*types.TypeParam); ok {
		return kindOfParameter(parameter)
	}
	switch underlying := ranged.Underlying().(type) {
	case *types.Map:
		return overMap
	case *types.Chan:
		return overChannel
	case *types.Basic:
		if underlying.Kind() == types.Invalid {
			return overUnknown
		}
	}
	return overOther
}

// kindOfParameter is overMap when one of the types that a parameter stands for is a map.
func kindOfParameter(parameter *types.TypeParam) int {
	constraint, ok := parameter.Constraint().Underlying().(*types.Interface)
	if !ok {
		return overUnknown
	}
	for embedded := range constraint.EmbeddedTypes() {
		union, ok := types.Unalias(embedded).(*types.Union)
		if !ok {
			return kindOf(embedded)
		}
		for term := range union.Terms() {
			if kind := kindOf(term.Type()); kind != overOther {
				return kind
			}
		}
	}
	return overOther
}
