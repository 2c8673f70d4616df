package lint

import (
	"fmt"
	"slices"
	"strings"
)

// Lattice is a policy that has been read.
type Lattice struct {
	allowed []edge // left may be imported by right
	barred  []edge // left must not be reached from right
}

// edge is one relation between two names of a policy.
type edge struct{ left, right string }

// ParseLattice reads the notation described at policy. It refuses names that no line with "<"
// declares: a rule about a misspelt package would hold for ever.
func ParseLattice(text string) (*Lattice, error) {
	lattice := &Lattice{}
	for rule := range strings.SplitSeq(withoutComments(text), ";") {
		if strings.TrimSpace(rule) == "" {
			continue
		}
		if err := lattice.add(rule); err != nil {
			return nil, fmt.Errorf("policy %q: %w", strings.Join(strings.Fields(rule), " "), err)
		}
	}
	return lattice, nil
}

func withoutComments(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		code, _, _ := strings.Cut(line, "#")
		kept.WriteString(code + "\n")
	}
	return kept.String()
}

func (l *Lattice) add(rule string) error {
	if left, right, ok := strings.Cut(rule, "!<"); ok {
		return l.addPairs(&l.barred, left, right)
	}
	levels := strings.Split(rule, "<")
	if len(levels) < 2 {
		return fmt.Errorf("there is no < in it")
	}
	for i, right := range levels {
		for _, left := range levels[:i] {
			if err := l.addPairs(&l.allowed, left, right); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Lattice) addPairs(edges *[]edge, left, right string) error {
	lefts, err := names(left)
	if err != nil {
		return err
	}
	rights, err := names(right)
	if err != nil {
		return err
	}
	for _, a := range lefts {
		for _, b := range rights {
			*edges = append(*edges, edge{left: a, right: b})
		}
	}
	return nil
}

func names(list string) ([]string, error) {
	var found []string
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if name == "" || strings.ContainsAny(name, " \t\n<!") {
			return nil, fmt.Errorf("%q is not a name", name)
		}
		found = append(found, name)
	}
	return found, nil
}

// Undeclared returns the names in "!<" lines of l that no "<" line of declaring speaks of.
func (l *Lattice) Undeclared(declaring *Lattice) []string {
	var unknown []string
	for _, barred := range l.barred {
		for _, name := range []string{barred.left, barred.right} {
			if !strings.HasPrefix(name, `"`) && !declaring.knows(name) {
				unknown = append(unknown, name)
			}
		}
	}
	return unknown
}

// knows reports whether a name or pattern covers, or is covered by, a declared package.
func (l *Lattice) knows(name string) bool {
	return slices.ContainsFunc(l.allowed, func(e edge) bool {
		return matches(name, e.right) || matches(e.right, name)
	})
}

// mayImport reports whether a package has a line in the policy that lets it import another.
func (l *Lattice) mayImport(importer, imported string) bool {
	return slices.ContainsFunc(l.allowed, func(e edge) bool {
		return matches(e.right, importer) && e.left == imported
	})
}

// CheckImports applies the "<" lines to every package and its internal tests, and
// says which packages have no line. External tests are not bound by them.
func (l *Lattice) CheckImports(tree *Tree) []Finding {
	var findings []Finding
	for _, pkg := range tree.Packages {
		if !l.knows(pkg.Path) {
			findings = append(findings, Finding{pkg.Path, "has no line in the policy: say in sim/lint/policy.go what it may import"})
			continue
		}
		for _, file := range pkg.Files {
			if !file.IsExternal() {
				findings = append(findings, l.checkFile(tree, pkg, file)...)
			}
		}
	}
	return inOrder(findings)
}

func (l *Lattice) checkFile(tree *Tree, pkg *Package, file *File) []Finding {
	var findings []Finding
	for _, spec := range file.Syntax.Imports {
		imported, inside := tree.relative(importPath(spec))
		allowed := !inside || l.mayImport(pkg.Path, imported) || file.IsTest() && l.mayImport("TESTS", imported)
		if !allowed {
			findings = append(findings, Finding{tree.at(spec.Pos()), pkg.Path + " must not import " + imported +
				": the policy in sim/lint/policy.go has no line for it"})
		}
	}
	return findings
}

// relative turns an import path into a path below the module's root.
func (t *Tree) relative(importPath string) (string, bool) {
	if importPath == t.Module {
		return ".", true
	}
	return strings.CutPrefix(importPath, t.Module+"/")
}
