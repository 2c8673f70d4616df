package segment

import (
	"errors"
	"path"

	"github.com/gantrymq/gantry/node/env"
)

// ReplaceFile gives a file new content, so that a crash leaves the old or the new one. renamed says that the new one is there,
// durable if there is no error.
func ReplaceFile(disk env.Disk, name string, content []byte) (renamed bool, err error) {
	draft := name + ".new"
	if err := disk.Remove(draft); err != nil && !errors.Is(err, env.ErrNotExist) {
		return false, err
	}
	f, err := disk.Create(draft)
	if err != nil {
		return false, err
	}
	if err = f.WriteAt(content, 0); err == nil {
		err = f.Sync(0, int64(len(content)))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	if err := disk.Rename(draft, name); err != nil {
		return false, err
	}
	return true, disk.SyncDir(path.Dir(name))
}
