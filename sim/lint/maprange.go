package lint

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// The order of a map differs from run to run. A loop over one is let through when its order
// can be seen to reach nothing: it collects and the next statement sorts,
// or it only counts, sums integers and deletes. Any other needs a comment
// with this phrase, which gives the reason, on the line above.
const orderExcuse = "order does not matter"

const insteadOfMapOrder = "ranges over a map: use slices.Sorted(maps.Keys(…)), sort right after collecting, " +
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
		l.report(loop, "this loop", insteadOfMapOrder)
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

// isHarmless reports whether every statement of the body counts, sums integers or deletes, and
// none reads what the loop changes: "delete until ten are left" depends on the order.
func (l *loops) isHarmless(loop *ast.RangeStmt) bool {
	steps, conditions, ok := flatten(loop.Body.List)
	if !ok {
		return false
	}
	var changed []ast.Expr
	read := conditions
	for _, step := range steps {
		target, reads, ok := l.commutative(step)
		if !ok {
			return false
		}
		changed = append(changed, target)
		read = append(read, reads...)
	}
	return !slices.ContainsFunc(read, func(e ast.Expr) bool { return l.callsOut(e) || mentions(e, changed) })
}

// flatten takes a body of plain statements, `if condition { … }` and `if condition { continue }` apart.
func flatten(body []ast.Stmt) (steps []ast.Stmt, conditions []ast.Expr, ok bool) {
	for _, statement := range body {
		branch, isIf := statement.(*ast.IfStmt)
		switch {
		case !isIf && isContinue(statement):
		case !isIf:
			steps = append(steps, statement)
		case branch.Init != nil || branch.Else != nil:
			return nil, nil, false
		default:
			inner, more, ok := flatten(branch.Body.List)
			if !ok {
				return nil, nil, false
			}
			steps = append(steps, inner...)
			conditions = append(append(conditions, branch.Cond), more...)
		}
	}
	return steps, conditions, true
}

func isContinue(statement ast.Stmt) bool {
	branch, ok := statement.(*ast.BranchStmt)
	return ok && branch.Tok == token.CONTINUE && branch.Label == nil
}

// commutative gives what a step changes and what it reads, if its order among its like makes no difference.
func (l *loops) commutative(step ast.Stmt) (changed ast.Expr, reads []ast.Expr, ok bool) {
	switch step := step.(type) {
	case *ast.IncDecStmt:
		return step.X, nil, l.isInteger(step.X)
	case *ast.AssignStmt:
		return step.Lhs[0], step.Rhs, slices.Contains(sums, step.Tok) && l.isInteger(step.Lhs[0])
	case *ast.ExprStmt:
		call, isCall := step.X.(*ast.CallExpr)
		if !isCall || !l.isBuiltin(call.Fun, "delete") {
			return nil, nil, false
		}
		return call.Args[0], call.Args[1:], true
	}
	return nil, nil, false
}

// sums do not care in which order their operands come; products of integers wrap around, which keeps that true.
var sums = []token.Token{token.ADD_ASSIGN, token.SUB_ASSIGN, token.MUL_ASSIGN, token.OR_ASSIGN, token.AND_ASSIGN, token.XOR_ASSIGN}

// isInteger leaves out floats, whose sums depend on the order, and strings.
func (l *loops) isInteger(expression ast.Expr) bool {
	kind := l.info.TypeOf(expression)
	if kind == nil {
		return false
	}
	basic, ok := kind.Underlying().(*types.Basic)
	return ok && basic.Info()&types.IsInteger != 0
}

func (l *loops) isBuiltin(function ast.Expr, name string) bool {
	identifier, ok := function.(*ast.Ident)
	if !ok {
		return false
	}
	builtin, ok := l.info.Uses[identifier].(*types.Builtin)
	return ok && (name == "" || builtin.Name() == name)
}

// callsOut reports whether an expression calls a function, which could do anything, in any order.
// Built-in functions and conversions only compute.
func (l *loops) callsOut(expression ast.Expr) bool {
	found := false
	ast.Inspect(expression, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok && !l.info.Types[call.Fun].IsType() && !l.isBuiltin(call.Fun, "") {
			found = true
		}
		return !found
	})
	return found
}

// mentions reports whether an expression reads one of the changed ones.
func mentions(expression ast.Expr, changed []ast.Expr) bool {
	found := false
	ast.Inspect(expression, func(node ast.Node) bool {
		part, ok := node.(ast.Expr)
		if ok && slices.ContainsFunc(changed, func(c ast.Expr) bool { return types.ExprString(part) == types.ExprString(c) }) {
			found = true
		}
		return !found
	})
	return found
}

// collectsSorted reports whether the body only appends to one slice and the next statement sorts that slice.
func (l *loops) collectsSorted(loop *ast.RangeStmt, after []ast.Stmt) bool {
	steps, conditions, ok := flatten(loop.Body.List)
	if !ok || len(steps) != 1 || len(after) == 0 {
		return false
	}
	slice, values := l.appended(steps[0])
	if slice == nil || !sorts(after[0], slice) {
		return false
	}
	read := append(conditions, values...)
	return !slices.ContainsFunc(read, func(e ast.Expr) bool { return l.callsOut(e) || mentions(e, []ast.Expr{slice}) })
}

// appended returns s and v of `s = append(s, v)`, else nil.
func (l *loops) appended(step ast.Stmt) (slice ast.Expr, values []ast.Expr) {
	assign, ok := step.(*ast.AssignStmt)
	if !ok || assign.Tok != token.ASSIGN || len(assign.Rhs) != 1 {
		return nil, nil
	}
	call, ok := assign.Rhs[0].(*ast.CallExpr)
	if !ok || !l.isBuiltin(call.Fun, "append") || types.ExprString(call.Args[0]) != types.ExprString(assign.Lhs[0]) {
		return nil, nil
	}
	return assign.Lhs[0], call.Args[1:]
}

// sorts reports whether a statement hands the slice to a function of package sort
// or slices whose name says that it sorts, or to one of ours of that kind.
func sorts(statement ast.Stmt, slice ast.Expr) bool {
	expression, ok := statement.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := expression.X.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 || types.ExprString(call.Args[0]) != types.ExprString(slice) {
		return false
	}
	name := types.ExprString(call.Fun)
	return strings.HasPrefix(name, "sort.") || strings.HasPrefix(name, "slices.Sort") || strings.HasPrefix(name, "sort")
}
