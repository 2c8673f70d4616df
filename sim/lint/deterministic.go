package lint

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

// exception allows one use in one package. Pkg may be a pattern.
type exception struct{ pkg, use, reason string }

// Deterministic reports whether the rules on clocks, chance, machines and order bind a package.
func Deterministic(packagePath string) bool {
	return !slices.ContainsFunc(worlds, func(e exception) bool { return matches(e.pkg, packagePath) })
}

// Excuses decides which uses are excepted and remembers which rows it needed.
type Excuses struct {
	rows   []exception
	needed map[exception]bool
}

// NewExcuses starts with rows that nothing has needed yet.
func NewExcuses(rows []exception) *Excuses {
	return &Excuses{rows: rows, needed: map[exception]bool{}}
}

func (e *Excuses) allow(packagePath, use string) bool {
	for _, row := range e.rows {
		if matches(row.pkg, packagePath) && row.use == use {
			e.needed[row] = true
			return true
		}
	}
	return false
}

// Unneeded returns the rows about packages of the tree that no use has needed.
func (e *Excuses) Unneeded(tree *Tree) []Finding {
	var findings []Finding
	for _, row := range e.rows {
		exists := slices.ContainsFunc(tree.Packages, func(p *Package) bool { return matches(row.pkg, p.Path) })
		if exists && !e.needed[row] {
			findings = append(findings, Finding{"sim/lint/exceptions.go", row.pkg + " does not use " + row.use + " any more: strike the row"})
		}
	}
	return findings
}

// CheckUses finds what deterministic packages must not use, as far as syntax shows it. Tests are free.
func CheckUses(tree *Tree, excuses *Excuses) []Finding {
	var findings []Finding
	for _, pkg := range tree.Packages {
		for _, file := range pkg.Files {
			if Deterministic(pkg.Path) && !file.IsTest() {
				findings = append(findings, usesOf(tree, pkg, file, excuses)...)
			}
		}
	}
	return inOrder(findings)
}

// uses walks one file.
type uses struct {
	tree     *Tree
	pkg      *Package
	excuses  *Excuses
	imported map[string]string // import path by the name it has in the file
	blessed  map[ast.Node]bool // calls whose surroundings make them harmless
	excused  excusedLines
	findings []Finding
}

func usesOf(tree *Tree, pkg *Package, file *File, excuses *Excuses) []Finding {
	u := &uses{tree: tree, pkg: pkg, excuses: excuses, imported: map[string]string{},
		blessed: map[ast.Node]bool{}, excused: tree.excusedLines(file)}
	for _, spec := range file.Syntax.Imports {
		u.addImport(spec)
	}
	ast.Inspect(file.Syntax, u.visit)
	return u.findings
}

func (u *uses) report(node ast.Node, use, instead string) {
	if !u.excuses.allow(u.pkg.Path, use) {
		u.findings = append(u.findings, Finding{u.tree.at(node.Pos()), use + " is not deterministic: " + instead})
	}
}

func (u *uses) addImport(spec *ast.ImportSpec) {
	imported := importPath(spec)
	name := path.Base(imported)
	if spec.Name != nil {
		name = spec.Name.Name
	}
	if name == "." {
		u.report(spec, "a dot import of "+imported, insteadOfDot)
	}
	u.imported[name] = imported
	for _, row := range forbiddenImports {
		if matches(row.what, imported) && !slices.Contains(allowedImports, imported) {
			u.report(spec, imported, row.instead)
		}
	}
}

func (u *uses) visit(node ast.Node) bool {
	switch node := node.(type) {
	case *ast.GoStmt:
		u.report(node, "a go statement", insteadOfGo)
	case *ast.SelectStmt:
		u.report(node, "select", insteadOfSelect)
	case *ast.ChanType:
		u.report(node, "a channel type", insteadOfChannel)
	case *ast.SendStmt:
		u.report(node, "a channel send", insteadOfChannel)
	case *ast.UnaryExpr:
		if node.Op == token.ARROW {
			u.report(node, "a channel receive", insteadOfChannel)
		}
	case *ast.BasicLit:
		if node.Kind == token.STRING && pointerVerb.MatchString(node.Value) {
			u.report(node, "%p", insteadOfAddress)
		}
	case *ast.CallExpr:
		u.bless(node)
	case *ast.SelectorExpr:
		u.name(node)
	}
	return true
}

// pointerVerb is the verb p with any flags and width, unless its percent sign is the second of two.
var pointerVerb = regexp.MustCompile(`(^|[^%])(%%)*%[-+#0]*[0-9.*]*p`)

// name reports a selector such as time.Now, called or not: a function value is as bad as a call.
func (u *uses) name(selector *ast.SelectorExpr) {
	name := u.nameOf(selector)
	for _, row := range forbiddenNames {
		if row.what == name && !u.blessed[selector] && !u.excusedOrder(selector, name) {
			u.report(selector, name, row.instead)
		}
	}
}

// excusedOrder is for the iterators over maps, which a comment excuses as it does a loop.
func (u *uses) excusedOrder(node ast.Node, name string) bool {
	return strings.HasPrefix(name, "maps.") && u.excused[u.tree.line(node.Pos())]
}

// nameOf is "import/path.Name" for a selector on an imported package, else ".Name".
func (u *uses) nameOf(expression ast.Expr) string {
	selector, ok := expression.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if base, ok := selector.X.(*ast.Ident); ok && u.imported[base.Name] != "" {
		return u.imported[base.Name] + "." + selector.Sel.Name
	}
	return "." + selector.Sel.Name
}

// bless marks the call inside f(g()) or g().f() as harmless where f undoes what is wrong with g.
// The outer call is visited before the inner one.
func (u *uses) bless(outer *ast.CallExpr) {
	around := u.nameOf(outer.Fun)
	inside := slices.Clone(outer.Args)
	if selector, ok := outer.Fun.(*ast.SelectorExpr); ok {
		inside = append(inside, selector.X)
	}
	for _, expression := range inside {
		if inner, ok := expression.(*ast.CallExpr); ok && slices.Contains(blessings[u.nameOf(inner.Fun)], around) {
			u.blessed[inner.Fun] = true
		}
	}
}
