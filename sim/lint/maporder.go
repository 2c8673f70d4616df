package lint

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// This file decides whether the order of a loop over a map can be seen to reach
// nothing. It errs towards no: a comment settles the rest.

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
		whole, index := container(step.X)
		return whole, index, l.isInteger(step.X)
	case *ast.AssignStmt:
		sums := step.Tok == token.ADD_ASSIGN || step.Tok == token.SUB_ASSIGN
		whole, index := container(step.Lhs[0])
		return whole, append(index, step.Rhs...), sums && l.isInteger(step.Lhs[0])
	case *ast.ExprStmt:
		call, isCall := step.X.(*ast.CallExpr)
		if !isCall || !l.isBuiltin(call.Fun, "delete") {
			return nil, nil, false
		}
		return call.Args[0], call.Args[1:], true
	}
	return nil, nil, false
}

// container gives for x[i] the whole x, for anything else itself; the index is read.
func container(changed ast.Expr) (whole ast.Expr, index []ast.Expr) {
	if element, ok := changed.(*ast.IndexExpr); ok {
		return element.X, []ast.Expr{element.Index}
	}
	return changed, nil
}

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
