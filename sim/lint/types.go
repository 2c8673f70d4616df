package lint

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/build/constraint"
	"go/importer"
	"go/types"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// Checker finds out the types of expressions. Imports are read from what the
// compiler has written, so one package is checked at a time, in milliseconds.
type Checker struct {
	tree     *Tree
	importer types.Importer
}

// NewChecker makes a checker for the packages of a tree.
func NewChecker(tree *Tree, world *World) *Checker {
	open := func(importPath string) (io.ReadCloser, error) {
		name, ok := world.Exports[importPath]
		if !ok {
			return nil, fmt.Errorf("%s was not compiled", importPath)
		}
		return os.Open(name)
	}
	return &Checker{tree: tree, importer: importer.ForCompiler(tree.set, "gc", open)}
}

// typed is one build of a package: the files that one set of tags chooses, and their types.
type typed struct {
	files []*File
	info  *types.Info
}

// builds checks the types of a package once for each build that its constraints
// speak of, so that files behind a tag are seen as well. Type errors are not reported here,
// the compiler does that; where a type stays unknown, the rule that needs it says so.
func (c *Checker) builds(pkg *Package) []typed {
	var all []typed
	for _, tag := range tagsOf(pkg) {
		build := typed{files: filesFor(pkg, tag)}
		build.info = c.check(pkg, build.files)
		all = append(all, build)
	}
	return all
}

func (c *Checker) check(pkg *Package, files []*File) *types.Info {
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{},
		Defs: map[*ast.Ident]types.Object{}}
	var syntax []*ast.File
	for _, file := range files {
		syntax = append(syntax, file.Syntax)
	}
	config := types.Config{Importer: c.importer, Error: func(error) {}, FakeImportC: true}
	_, _ = config.Check(path.Join(c.tree.Module, pkg.Path), c.tree.set, syntax, info)
	return info
}

// tagsOf returns "" and every tag of the package's build constraints.
func tagsOf(pkg *Package) []string {
	tags := []string{""}
	for _, file := range pkg.Files {
		for _, group := range file.Syntax.Comments {
			for _, comment := range group.List {
				tags = append(tags, tagsIn(comment.Text)...)
			}
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

func tagsIn(comment string) []string {
	if !constraint.IsGoBuild(comment) {
		return nil
	}
	expression, err := constraint.Parse(comment)
	if err != nil {
		return nil
	}
	var tags []string
	expression.Eval(func(tag string) bool {
		tags = append(tags, tag)
		return true
	})
	return tags
}

// filesFor returns the files, tests aside, that are built on this machine with a tag set.
func filesFor(pkg *Package, tag string) []*File {
	context := build.Default
	context.BuildTags = []string{tag}
	var chosen []*File
	for _, file := range pkg.Files {
		context.OpenFile = func(string) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(file.Source)), nil
		}
		built, err := context.MatchFile(pkg.Path, path.Base(file.Name))
		if err == nil && built && !file.IsTest() {
			chosen = append(chosen, file)
		}
	}
	return chosen
}
