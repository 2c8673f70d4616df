package namesrv

import (
	"errors"
	"fmt"
	"path"

	"github.com/gantrymq/gantry/node/env"
)

// replaceFile puts new content under a name, wholly or not at all: when it returns nil the content
// is durable, and after a crash or an error the file has either the old content or the new.
func replaceFile(disk env.Disk, name string, content []byte) error {
	temporary := name + ".tmp"
	// One may be left of a crash.
	if err := disk.Remove(temporary); err != nil && !errors.Is(err, env.ErrNotExist) {
		return err
	}
	if err := writeNew(disk, temporary, content); err != nil {
		// It is removed to give back the space, and by the next attempt if this fails.
		_ = disk.Remove(temporary)
		return err
	}
	if err := disk.Rename(temporary, name); err != nil {
		return err
	}
	return disk.SyncDir(path.Dir(name))
}

// writeNew makes a file whose content is durable, though its name need not be.
func writeNew(disk env.Disk, name string, content []byte) error {
	file, err := disk.Create(name)
	if err != nil {
		return err
	}
	err = file.WriteAt(content, 0)
	if err == nil {
		err = file.Sync(0, int64(len(content)))
	}
	return errors.Join(err, file.Close())
}

// readFile returns the whole content, which may have at most limit bytes.
func readFile(disk env.Disk, name string, limit int) ([]byte, error) {
	file, err := disk.Open(name)
	if err != nil {
		return nil, err
	}
	size := file.Size()
	if size > int64(limit) {
		return nil, errors.Join(fmt.Errorf("%s has %d bytes, the limit is %d", name, size, limit), file.Close())
	}
	content := make([]byte, size)
	n, err := file.ReadAt(content, 0)
	return content[:n], errors.Join(err, file.Close())
}
