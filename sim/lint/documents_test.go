package lint

import "testing"

func TestAPackageWithoutACommentIsRejected(t *testing.T) {
	for name, source := range map[string]string{
		"no comment":          "package a\n",
		"another name":        "// Package b is not a.\npackage a\n",
		"no name":             "// This is a.\npackage a\n",
		"a detached comment":  "// Package a is here.\n\npackage a\n",
		"no doc.go to put it": "",
	} {
		sources := []string{"a/a.go", "package a\n"}
		if source != "" {
			sources = append(sources, "a/doc.go", source)
		}
		t.Log(name)
		mustReject(t, CheckDocuments(treeOf(t, sources...)), "a/doc.go", "no package comment")
	}
}

func TestAPackageCommentInTheWrongFileIsRejected(t *testing.T) {
	tree := treeOf(t, "a/doc.go", "// Package a is a.\npackage a\n", "a/a.go", "// Package a is more.\npackage a\n")
	mustReject(t, CheckDocuments(tree), "a/a.go", "belongs into doc.go")
	tree = treeOf(t, "cmd/a/main.go", "// A does something.\npackage main\n", "cmd/a/doc.go", "// A is documented.\npackage main\n")
	mustReject(t, CheckDocuments(tree), "cmd/a/doc.go", "belongs into main.go")
}

func TestDocumentedPackagesAreAccepted(t *testing.T) {
	mustAccept(t, CheckDocuments(treeOf(t,
		"gantry.go", "// Package gantry is the root.\npackage gantry\n",
		"a/doc.go", "// Package a is a.\npackage a\n", "a/a_test.go", "package a_test\n",
		"cmd/a/main.go", "// A does something.\npackage main\n", "cmd/a/b.go", "package main\n")))
}
