package lint

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"
)

// testHandles are the types whose Helper method moves a failure to the caller's line.
var testHandles = []string{"*testing.T", "*testing.B", "*testing.F", "testing.TB"}

// testBodies are the beginnings of names of functions that are tests, or parts of
// one that t.Run starts: a failure in them belongs to the line where it is.
var testBodies = []string{"Test", "Benchmark", "Fuzz", "test", "benchmark", "fuzz"}

// CheckHelpers finds test helpers that do not call Helper, so that their failures
// point at themselves instead of at the test.
func CheckHelpers(tree *Tree) []Finding {
	var findings []Finding
	for _, pkg := range tree.Packages {
		called := calledAsHelper(pkg)
		for _, file := range pkg.Files {
			for _, function := range functionsOf(file) {
				handle, helps := handleOf(function), function.Name.IsExported() || called[function.Name.Name]
				if handle != "" && helps && !isTestBody(function) && !callsHelper(function, handle) {
					findings = append(findings, Finding{tree.at(function.Pos()), functionName(function) + " is a test helper: begin it with " + handle + ".Helper()"})
				}
			}
		}
	}
	return inOrder(findings)
}

// calledAsHelper gives the names of functions that are called. A function that is only handed
// to t.Run, or is all that a literal handed to it calls, is a test itself.
func calledAsHelper(pkg *Package) map[string]bool {
	called, whole := map[string]bool{}, map[ast.Node]bool{}
	for _, file := range pkg.Files {
		ast.Inspect(file.Syntax, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.FuncLit:
				whole[onlyStatement(node.Body)] = true
			case *ast.CallExpr:
				if !whole[node] {
					called[calledName(node)] = true
				}
			}
			return true
		})
	}
	return called
}

// onlyStatement is the call that a body consists of, else nil.
func onlyStatement(body *ast.BlockStmt) ast.Node {
	if len(body.List) != 1 {
		return nil
	}
	expression, ok := body.List[0].(*ast.ExprStmt)
	if !ok {
		return nil
	}
	return expression.X
}

// calledName is the last part of what is called: f for f(), x.f() and f[T]().
func calledName(call *ast.CallExpr) string {
	switch function := call.Fun.(type) {
	case *ast.Ident:
		return function.Name
	case *ast.SelectorExpr:
		return function.Sel.Name
	case *ast.IndexExpr:
		return calledName(&ast.CallExpr{Fun: function.X})
	}
	return ""
}

// handleOf is the name of the parameter through which a function reports failures, or "".
func handleOf(function *ast.FuncDecl) string {
	for _, field := range function.Type.Params.List {
		if slices.Contains(testHandles, types.ExprString(field.Type)) && len(field.Names) == 1 && field.Names[0].Name != "_" {
			return field.Names[0].Name
		}
	}
	return ""
}

func isTestBody(function *ast.FuncDecl) bool {
	return slices.ContainsFunc(testBodies, func(start string) bool { return strings.HasPrefix(function.Name.Name, start) })
}

// callsHelper looks at the statements of the function itself, not into literals and branches.
func callsHelper(function *ast.FuncDecl, handle string) bool {
	if function.Body == nil {
		return false
	}
	return slices.ContainsFunc(function.Body.List, func(statement ast.Stmt) bool {
		expression, ok := statement.(*ast.ExprStmt)
		return ok && types.ExprString(expression.X) == handle+".Helper()"
	})
}
