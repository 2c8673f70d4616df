package processtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// Binary is the command gantry, built once for all tests of a package when one first needs it. Its methods may be called at the same
// time, but for Remove.
type Binary struct {
	aliases   []string
	directory string // "" before it was needed
	build     func() error
}

// NewBinary describes a binary with more names than "gantry", such as "mqbroker", which are links to it.
func NewBinary(aliases ...string) *Binary {
	b := &Binary{aliases: aliases}
	b.build = sync.OnceValue(b.make)
	return b
}

// make builds what is in the directory. A directory that was made is known even if the rest fails, so that it can be removed.
func (b *Binary) make() (err error) {
	if b.directory, err = os.MkdirTemp("", "gantry-test-"); err != nil {
		return err
	}
	binary := filepath.Join(b.directory, "gantry")
	if output, err := exec.Command("go", "build", "-o", binary, "github.com/gantrymq/gantry/cmd/gantry").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, output)
	}
	for _, alias := range b.aliases {
		if err := os.Symlink(binary, filepath.Join(b.directory, alias)); err != nil {
			return err
		}
	}
	return nil
}

// Directory is where the binary is, as "gantry" and as its other names. Tests may put more into it.
func (b *Binary) Directory() (string, error) {
	if err := b.build(); err != nil {
		return "", err
	}
	return b.directory, nil
}

// Command is the binary by one of its names. It sees nothing of the user's files and settings: home is where it keeps what nobody tells it
// to keep elsewhere.
func (b *Binary) Command(home, name string, arguments ...string) (*exec.Cmd, error) {
	directory, err := b.Directory()
	if err != nil {
		return nil, err
	}
	command := exec.Command(filepath.Join(directory, name), arguments...)
	command.Env = append(os.Environ(), "NAMESRV_ADDR=", "HOME="+home)
	return command, nil
}

// Remove removes the directory, if there is one. It is for the end of TestMain.
func (b *Binary) Remove() {
	if b.directory != "" {
		// What is left of a temporary directory fails no test.
		_ = os.RemoveAll(b.directory)
	}
}
