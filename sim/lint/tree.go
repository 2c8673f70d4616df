package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Tree is the parsed source of one module.
type Tree struct {
	Module   string // the module path, such as "github.com/gantrymq/gantry"
	Packages []*Package
	Texts    []Text // every file that is text, the Go files too
	set      *token.FileSet
}

// Package is one directory with Go files: the package itself, its tests, and its external tests.
type Package struct {
	Path  string // relative to the module's root; "." is the root
	Files []*File
}

// File is one Go file.
type File struct {
	Name   string // relative to the module's root, with slashes
	Source string
	Syntax *ast.File
}

// Text is one file of any kind, as the rules on words see it.
type Text struct{ Name, Content string }

// NewTree parses texts that are named by their path below the root of a module.
func NewTree(module string, texts []Text) (*Tree, error) {
	tree := &Tree{Module: module, Texts: texts, set: token.NewFileSet()}
	byPath := map[string]*Package{}
	for _, text := range texts {
		if !isGoSource(text.Name) {
			continue
		}
		syntax, err := parser.ParseFile(tree.set, text.Name, text.Content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", text.Name, err)
		}
		dir := path.Dir(text.Name)
		if byPath[dir] == nil {
			byPath[dir] = &Package{Path: dir}
			tree.Packages = append(tree.Packages, byPath[dir])
		}
		byPath[dir].Files = append(byPath[dir].Files, &File{Name: text.Name, Source: text.Content, Syntax: syntax})
	}
	slices.SortFunc(tree.Packages, func(a, b *Package) int { return strings.Compare(a.Path, b.Path) })
	return tree, nil
}

// isGoSource leaves out what the go command leaves out.
func isGoSource(name string) bool {
	ignored := func(element string) bool {
		return element == "testdata" || strings.HasPrefix(element, "_") || strings.HasPrefix(element, ".")
	}
	return strings.HasSuffix(name, ".go") && !slices.ContainsFunc(strings.Split(name, "/"), ignored)
}

// ReadTree reads the module whose go.mod is in root.
func ReadTree(root string) (*Tree, error) {
	module, err := moduleOf(root)
	if err != nil {
		return nil, err
	}
	texts, err := readTexts(root)
	if err != nil {
		return nil, fmt.Errorf("read the tree: %w", err)
	}
	return NewTree(module, texts)
}

func moduleOf(root string) (string, error) {
	content, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return "", fmt.Errorf("the root of a module has a go.mod: %w", err)
	}
	first, _, _ := strings.Cut(string(content), "\n")
	return strings.TrimSpace(strings.TrimPrefix(first, "module ")), nil
}

// madeByTools are directories that nobody writes by hand.
var madeByTools = []string{".git", "bin", "data", "node_modules"}

// maxText is the size in bytes above which a file is data.
const maxText = 1 << 20

// isOtherModule reports whether a directory is a module of its own, with dependencies of its own.
func isOtherModule(root, dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil && dir != root
}

// readTexts returns the text files below root in the order of their names.
func readTexts(root string) ([]Text, error) {
	var texts []Text
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (slices.Contains(madeByTools, entry.Name()) || isOtherModule(root, name)) {
			return filepath.SkipDir
		}
		content, isText, err := readText(name, entry)
		if isText {
			relative, _ := filepath.Rel(root, name)
			texts = append(texts, Text{Name: filepath.ToSlash(relative), Content: content})
		}
		return err
	})
	return texts, err
}

// readText reads a file unless its size or a zero byte in it says that it is not text.
func readText(name string, entry fs.DirEntry) (content string, isText bool, err error) {
	if !entry.Type().IsRegular() {
		return "", false, nil
	}
	info, err := entry.Info()
	if err != nil || info.Size() > maxText {
		return "", false, err
	}
	read, err := os.ReadFile(name)
	return string(read), err == nil && !strings.Contains(string(read), "\x00"), err
}

// at gives the place of a position as findings print it.
func (t *Tree) at(pos token.Pos) string {
	position := t.set.Position(pos)
	return position.Filename + ":" + strconv.Itoa(position.Line)
}

func (t *Tree) line(pos token.Pos) int { return t.set.Position(pos).Line }

// lines is how many lines a node covers.
func (t *Tree) lines(node ast.Node) int { return t.line(node.End()) - t.line(node.Pos()) + 1 }

// IsTest reports whether the file is built only for tests.
func (f *File) IsTest() bool { return strings.HasSuffix(f.Name, "_test.go") }

// IsExternal reports whether the file belongs to the external tests, package x_test.
func (f *File) IsExternal() bool {
	return f.IsTest() && strings.HasSuffix(f.Syntax.Name.Name, "_test")
}

// Imports returns the import paths of the file, in its order.
func (f *File) Imports() []string {
	var paths []string
	for _, spec := range f.Syntax.Imports {
		paths = append(paths, importPath(spec))
	}
	return paths
}

func importPath(spec *ast.ImportSpec) string {
	// The parser has accepted the literal, so it unquotes.
	value, _ := strconv.Unquote(spec.Path.Value)
	return value
}

// matches reports whether a slash-separated path is named by a pattern: itself, or for "x/..." x and all below.
func matches(pattern, name string) bool {
	if above, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == above || strings.HasPrefix(name, above+"/")
	}
	return pattern == "..." || pattern == name
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, name) })
}
