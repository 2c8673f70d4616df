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

// CheckBarriers applies the "!<" lines to what packages import, directly or not.
// Outside gives the imports of packages outside the module.
func (l *Lattice) CheckBarriers(tree *Tree, outside map[string][]string) []Finding {
	return l.checkReach(tree, outside, func(file *File) bool { return !file.IsTest() })
}

// CheckTestBarriers is CheckBarriers for what test files import.
func (l *Lattice) CheckTestBarriers(tree *Tree, outside map[string][]string) []Finding {
	return l.checkReach(tree, outside, (*File).IsTest)
}

func (l *Lattice) checkReach(tree *Tree, outside map[string][]string, from func(*File) bool) []Finding {
	graph := importGraph(tree, outside)
	var findings []Finding
	for _, pkg := range tree.Packages {
		way := reach(graph, tree.starts(pkg, from))
		for _, barred := range l.barred {
			if matches(barred.right, pkg.Path) {
				findings = append(findings, way.findings(pkg.Path, barred.left)...)
			}
		}
	}
	return inOrder(findings)
}

// starts are the imports of the chosen files of a package, by the names of the graph.
func (t *Tree) starts(pkg *Package, chosen func(*File) bool) []string {
	var imports []string
	for _, file := range pkg.Files {
		if chosen(file) {
			for _, imported := range file.Imports() {
				imports = append(imports, t.graphName(imported))
			}
		}
	}
	slices.Sort(imports)
	return slices.Compact(imports)
}

// graphName is the path below the root for packages inside, and the quoted import path for others.
func (t *Tree) graphName(imported string) string {
	if inside, ok := t.relative(imported); ok {
		return inside
	}
	return `"` + imported + `"`
}

func importGraph(tree *Tree, outside map[string][]string) map[string][]string {
	graph := map[string][]string{}
	for importer, imports := range outside {
		for _, imported := range imports {
			graph[tree.graphName(importer)] = append(graph[tree.graphName(importer)], tree.graphName(imported))
		}
	}
	// What was parsed wins over what the go command says: it sees files of every build.
	for _, pkg := range tree.Packages {
		graph[pkg.Path] = tree.starts(pkg, func(file *File) bool { return !file.IsTest() })
	}
	return graph
}

// ways maps each package that is reached to the one that imports it; the first have "".
type ways map[string]string

// reach walks breadth first, so that the way it remembers is a shortest one.
func reach(graph map[string][]string, starts []string) ways {
	came := ways{}
	for _, start := range starts {
		came[start] = ""
	}
	for queue := slices.Clone(starts); len(queue) > 0; queue = queue[1:] {
		for _, next := range graph[queue[0]] {
			if _, seen := came[next]; !seen {
				came[next] = queue[0]
				queue = append(queue, next)
			}
		}
	}
	return came
}

// findings says for each package that is reached and matches the pattern how it is reached.
func (w ways) findings(importer, pattern string) []Finding {
	var findings []Finding
	for reached := range w {
		if matches(pattern, reached) && reached != importer {
			findings = append(findings, Finding{importer, "must not depend on " + reached + ", and does: " + w.to(importer, reached)})
		}
	}
	return inOrder(findings)
}

func (w ways) to(importer, reached string) string {
	steps := []string{reached}
	for at := w[reached]; at != ""; at = w[at] {
		steps = append(steps, at)
	}
	steps = append(steps, importer)
	slices.Reverse(steps)
	return strings.Join(steps, " -> ")
}
