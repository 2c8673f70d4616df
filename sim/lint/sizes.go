package lint

import (
	"fmt"
	"go/ast"
	"go/types"
	"strings"
)

// Lengths in lines, from the first to the last, comments inside included.
const (
	maxFunction       = 70  // more only if listed in longFunctions
	maxFunctionListed = 150 // never more
	maxFile           = 600 // more only if listed in longFiles
)

// CheckSizes finds long functions and files, and rows of the two lists that
// are no longer exact: a list may only shrink, so what became shorter is written down at once.
func CheckSizes(tree *Tree, functions, files map[string]int) []Finding {
	long := measured{what: "function", limit: maxFunction, listed: functions, seen: map[string]bool{}}
	large := measured{what: "file", limit: maxFile, listed: files, seen: map[string]bool{}}
	for _, pkg := range tree.Packages {
		for _, file := range pkg.Files {
			// Tables that a program writes are not read by people.
			if ast.IsGenerated(file.Syntax) {
				continue
			}
			large.add(file.Name, strings.Count(file.Source, "\n"))
			for _, function := range functionsOf(file) {
				long.add(file.Name+": "+functionName(function), tree.lines(function))
			}
		}
	}
	return inOrder(append(long.finish(), large.finish()...))
}

// measured compares lengths with a limit and with the list of what is longer.
type measured struct {
	what     string
	limit    int
	listed   map[string]int
	seen     map[string]bool
	findings []Finding
}

func (m *measured) add(name string, lines int) {
	listed, isListed := m.listed[name]
	m.seen[name] = isListed
	switch {
	case m.what == "function" && lines > maxFunctionListed:
		m.find(name, "has %d lines; more than %d is never allowed: split it", lines, maxFunctionListed)
	case !isListed && lines > m.limit:
		m.find(name, "has %d lines, more than %d: split it", lines, m.limit)
	case isListed && lines <= m.limit:
		m.find(name, "has only %d lines now: strike its row (%d)", lines, listed)
	case isListed && lines > listed:
		m.find(name, "grew to %d lines from the %d that are listed: split it", lines, listed)
	case isListed && lines < listed:
		m.find(name, "shrank to %d lines: list that instead of %d", lines, listed)
	}
}

func (m *measured) find(name, format string, values ...any) {
	m.findings = append(m.findings, Finding{name, "the " + m.what + " " + fmt.Sprintf(format, values...)})
}

// finish adds the rows whose function or file is gone.
func (m *measured) finish() []Finding {
	for name := range m.listed {
		if !m.seen[name] {
			m.find(name, "is listed in sim/lint/exceptions.go and is gone: strike its row")
		}
	}
	return m.findings
}

func functionsOf(file *File) []*ast.FuncDecl {
	var found []*ast.FuncDecl
	for _, declaration := range file.Syntax.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok {
			found = append(found, function)
		}
	}
	return found
}

// functionName is "Name", or "Receiver.Name" for a method.
func functionName(function *ast.FuncDecl) string {
	if function.Recv == nil {
		return function.Name.Name
	}
	receiver := strings.TrimPrefix(types.ExprString(function.Recv.List[0].Type), "*")
	base, _, _ := strings.Cut(receiver, "[")
	return base + "." + function.Name.Name
}
