package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
)

// World is what the go command knows of packages, inside and outside the module.
type World struct {
	Imports map[string][]string // by full import path
	Exports map[string]string   // by full import path: the file with the compiled types
}

// snippetPackages are always asked for, so that the tests' small sources may import them.
var snippetPackages = []string{"maps", "slices", "sort", "time", "reflect", "strings"}

// AskGo runs the go command in root. It compiles what is not in the build cache;
// packages that do not compile are left without types, which the rules that need them report.
func AskGo(root string) (*World, error) {
	arguments := []string{"list", "-e", "-export", "-deps", "-json=ImportPath,Export,Imports", "./..."}
	output, err := runGo(root, append(arguments, snippetPackages...)...)
	if err != nil {
		return nil, err
	}
	world := &World{Imports: map[string][]string{}, Exports: map[string]string{}}
	return world, world.read(output)
}

// read takes the stream of JSON objects that go list prints.
func (w *World) read(output []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(output))
	for {
		var listed struct {
			ImportPath, Export string
			Imports            []string
		}
		err := decoder.Decode(&listed)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read what go list printed: %w", err)
		}
		w.Imports[listed.ImportPath] = listed.Imports
		if listed.Export != "" {
			w.Exports[listed.ImportPath] = listed.Export
		}
	}
}

func runGo(root string, arguments ...string) ([]byte, error) {
	command := exec.Command("go", arguments...)
	command.Dir = root
	output, err := command.Output()
	// go list leaves with an error when a package does not compile, yet has printed all the others.
	if err != nil && len(output) == 0 {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	return output, nil
}
