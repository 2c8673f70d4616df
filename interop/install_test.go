//go:build interop

package interop_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// installAliOns installs the npm package as package-lock.json has it, unless that was done before.
var installAliOns = sync.OnceValues(func() (missing string, err error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "the peer ali-ons is left out: install Node.js with npm to run it (" + err.Error() + ")", nil
		}
	}
	return "", installPackages("ali-ons")
})

// installPackages leaves a copy of the lock file among the packages: as long as it is the same, they are up to date.
func installPackages(directory string) error {
	wanted, err := os.ReadFile(filepath.Join(directory, "package-lock.json"))
	if err != nil {
		return err
	}
	mark := filepath.Join(directory, "node_modules", ".installed-lock.json")
	installed, err := os.ReadFile(mark)
	if err == nil && bytes.Equal(installed, wanted) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Programs of packages are not run while they are installed: none here needs it.
	if err := run(directory, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"); err != nil {
		return err
	}
	return os.WriteFile(mark, wanted, 0o644)
}

func aliOns(role, settings string) *exec.Cmd {
	return exec.Command("node", filepath.Join("ali-ons", role+".js"), settings)
}

// installOfficial builds the program around Apache's client for Go. Its module is not part of Gantry's.
var installOfficial = sync.OnceValues(func() (missing string, err error) {
	directory, err := workshop()
	if err != nil {
		return "", err
	}
	return "", run("official", "go", "build", "-o", filepath.Join(directory, "official"), ".")
})

func official(role, settings string) *exec.Cmd {
	return exec.Command(filepath.Join(madeIn, "official"), role, settings)
}
