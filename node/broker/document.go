package broker

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap"
)

// configDir holds the tables that outlive a restart, in the files and layouts of a Java broker.
const configDir = "config"

// errInDoubt: the new content has the file's name, but may lose it again in a crash.
var errInDoubt = errors.New("the file may have its old or its new content after a restart")

// saveDocument replaces a file of the config directory. When it returns nil the new content is durable; after a
// crash meanwhile the file has the old or the new content, whole. After errInDoubt it has either, after other errors the old.
func saveDocument(disk env.Disk, name string, content []byte) error {
	path := configDir + "/" + name
	fresh := path + ".new"
	if err := disk.Remove(fresh); err != nil && !errors.Is(err, env.ErrNotExist) {
		return err
	}
	f, err := disk.Create(fresh)
	if err != nil {
		return err
	}
	err = f.WriteAt(content, 0)
	if err == nil {
		err = f.Sync(0, int64(len(content)))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	err = disk.Rename(fresh, path)
	if err == nil {
		err = disk.SyncDir(configDir)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w", path, errInDoubt, err)
	}
	return nil
}

// loadDocument reads a file of the config directory with use. If it is missing or use refuses it, the copy that
// Java brokers leave beside it (".bak") is tried. No file at all is an empty table; files
// that cannot be read are an error, because starting without them would lose what they said.
func loadDocument(e env.Env, name string, use func(content []byte) error) error {
	first := loadFile(e.Disk, name, use)
	if first == nil {
		return nil
	}
	second := loadFile(e.Disk, name+".bak", use)
	switch {
	case second == nil:
		e.Log.Warn("a table was read from its older copy (.bak): what was changed since is lost", zap.String("file", name), zap.Error(first))
		return nil
	case errors.Is(first, env.ErrNotExist) && errors.Is(second, env.ErrNotExist):
		return nil
	case errors.Is(second, env.ErrNotExist):
		return fmt.Errorf("%w; repair the file, or remove it to start with an empty table", first)
	}
	return errors.Join(first, second)
}

// documentMax bounds a file of the config directory, in bytes.
const documentMax = 1 << 30

func loadFile(disk env.Disk, name string, use func(content []byte) error) error {
	path := configDir + "/" + name
	f, err := disk.Open(path)
	if err != nil {
		return err
	}
	if f.Size() > documentMax {
		return errors.Join(fmt.Errorf("%s has %d bytes, more than %d: it cannot be a table of a broker", path, f.Size(), documentMax), f.Close())
	}
	content := make([]byte, f.Size())
	n, err := f.ReadAt(content, 0)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if n == 0 {
		// Java brokers leave empty files behind when they are killed: as good as none.
		return fmt.Errorf("%s is empty: %w", path, env.ErrNotExist)
	}
	if err := use(content[:n]); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
