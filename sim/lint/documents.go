package lint

import (
	"path"
	"strings"
)

// CheckDocuments finds packages that do not say what they are. The comment of a package
// stands in doc.go, that of a command in main.go, that of the root in
// gantry.go, and nowhere else, so that a reader knows where to look.
func CheckDocuments(tree *Tree) []Finding {
	var findings []Finding
	for _, pkg := range tree.Packages {
		home := homeOfComment(pkg)
		documented := false
		for _, file := range pkg.Files {
			comment := file.Syntax.Doc.Text()
			switch {
			case comment == "":
			case path.Base(file.Name) != home:
				findings = append(findings, Finding{file.Name, "carries a package comment: that belongs into " + home})
			case isAboutPackage(comment, file.Syntax.Name.Name):
				documented = true
			}
		}
		if !documented {
			findings = append(findings, Finding{path.Join(pkg.Path, home), "has no package comment that begins with \"Package " + packageName(pkg) +
				"\": say who owns the state, which calls wait, what is durable, and which file holds what"})
		}
	}
	return inOrder(findings)
}

func homeOfComment(pkg *Package) string {
	switch {
	case pkg.Path == ".":
		return "gantry.go"
	case packageName(pkg) == "main":
		return "main.go"
	}
	return "doc.go"
}

// packageName is the name in the package clauses, that of external tests aside.
func packageName(pkg *Package) string {
	name := pkg.Files[0].Syntax.Name.Name
	for _, file := range pkg.Files {
		if !file.IsExternal() {
			name = file.Syntax.Name.Name
		}
	}
	return name
}

// isAboutPackage checks the first words; a command's comment begins with the command's own name.
func isAboutPackage(comment, name string) bool {
	return name == "main" || strings.HasPrefix(comment, "Package "+name+" ")
}
