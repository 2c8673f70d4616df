package gantry_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// exported are the exported names of a package: functions, types, constants, variables, and methods and fields as Type.Name.
func exported(t *testing.T, directory string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "*.go"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declared := range file.Decls {
			switch d := declared.(type) {
			case *ast.FuncDecl:
				names[receiver(d)+d.Name.Name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					addSpec(names, spec)
				}
			}
		}
	}
	return names
}

// receiver is "Type." of a method.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	of := d.Recv.List[0].Type
	if pointer, ok := of.(*ast.StarExpr); ok {
		of = pointer.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}

func addSpec(names map[string]bool, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		names[s.Name.Name] = true
		if structure, ok := s.Type.(*ast.StructType); ok {
			for _, field := range structure.Fields.List {
				for _, name := range field.Names {
					names[s.Name.Name+"."+name.Name] = true
				}
			}
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			names[name.Name] = true
		}
	}
}

// What the page for programs of the official Go client promises must exist.
func TestEveryNameOfThisModuleInTheMigrationTablesExists(t *testing.T) {
	page, err := os.ReadFile("client/MIGRATING.md")
	require.NoError(t, err)
	ofClient := exported(t, "client")
	packages := map[string]map[string]bool{
		"gantry": exported(t, "."), "client": ofClient, "assign": exported(t, "transport/assign"),
		"message": exported(t, "transport/message"), "osenv": exported(t, "node/env/osenv"),
	}
	found := 0
	for _, match := range regexp.MustCompile(`\b(gantry|client|assign|message|osenv)\.([A-Z]\w*)`).FindAllStringSubmatch(string(page), -1) {
		// "message.Property…" stands for many.
		require.True(t, packages[match[1]][match[2]] || match[2] == "Property", match[0])
		found++
	}
	methods := regexp.MustCompile(`\b(Producer|PushConsumer|LitePullConsumer|Admin|Received|PullResult)\.([A-Z]\w*)`)
	for _, match := range methods.FindAllStringSubmatch(string(page), -1) {
		// A Received is a Message besides.
		require.True(t, ofClient[match[0]] || match[1] == "Received" && packages["message"]["Message."+match[2]], match[0])
		found++
	}
	for _, match := range regexp.MustCompile(`\b(L|P|L, P) `+"`"+`([A-Z]\w*)\(`).FindAllStringSubmatch(string(page), -1) {
		for of := range strings.SplitSeq(match[1], ", ") {
			name := map[string]string{"L": "LitePullConsumer.", "P": "PullConsumer."}[of] + match[2]
			require.True(t, ofClient[name], name)
			found++
		}
	}
	require.Greater(t, found, 150)
}
