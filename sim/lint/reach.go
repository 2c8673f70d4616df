package lint

import (
	"slices"
	"strings"
)

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
