package controller

import (
	"errors"
	"fmt"
	"path"

	"github.com/gantrymq/gantry/node/env"
)

// replaceFile puts new content under a name, wholly or not at all: when it returns nil the content is durable, and after a crash or an
// error the file has either the old content or the new. It returns the new file.
func replaceFile(disk env.Disk, name string, content []byte) (env.File, error) {
	temporary := name + ".tmp"
	// One may be left of a crash.
	if err := disk.Remove(temporary); err != nil && !errors.Is(err, env.ErrNotExist) {
		return nil, err
	}
	file, err := disk.Create(temporary)
	if err != nil {
		return nil, err
	}
	if err = file.WriteAt(content, 0); err == nil {
		err = file.Sync(0, int64(len(content)))
	}
	if err == nil {
		err = disk.Rename(temporary, name)
	}
	if err == nil {
		err = disk.SyncDir(path.Dir(name))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// readFile returns the whole content, which may have at most limit bytes.
func readFile(disk env.Disk, name string, limit int64) ([]byte, error) {
	file, err := disk.Open(name)
	if err != nil {
		return nil, err
	}
	size := file.Size()
	if size > limit {
		return nil, errors.Join(fmt.Errorf("%s has %d bytes, the limit is %d", name, size, limit), file.Close())
	}
	content := make([]byte, size)
	n, err := file.ReadAt(content, 0)
	return content[:n], errors.Join(err, file.Close())
}
