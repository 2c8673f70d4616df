package guard

import (
	"errors"
	"fmt"
	"path"

	"github.com/gantrymq/gantry/node/env"
)

// fileMax bounds the files of accounts, in bytes.
const fileMax = 64 << 20

// read returns the content of a file. It waits for the disk.
func read(disk env.Disk, name string) ([]byte, error) {
	f, err := disk.Open(name)
	if err != nil {
		return nil, err
	}
	if f.Size() > fileMax {
		return nil, errors.Join(fmt.Errorf("%s has %d bytes, more than %d", name, f.Size(), fileMax), f.Close())
	}
	content := make([]byte, f.Size())
	n, err := f.ReadAt(content, 0)
	return content[:n], errors.Join(err, f.Close())
}

// settle makes durable what was read of a file. People may have written it just now, or a change whose end was never seen: what decides once must not be
// undone by a loss of power. It waits for the disk.
func settle(disk env.Disk, name string) error {
	f, err := disk.Open(name)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(0, f.Size()), f.Close()); err != nil {
		return fmt.Errorf("%s cannot be made durable: %w", name, err)
	}
	return disk.SyncDir(path.Dir(name))
}

// replace puts new content under a name, wholly or not at all, for the eyes of the node's own user. When it returns nil the content is durable. It
// waits for the disk.
func replace(disk env.Disk, name string, content []byte) error {
	fresh := name + ".new"
	if err := disk.Remove(fresh); err != nil && !errors.Is(err, env.ErrNotExist) {
		return err
	}
	f, err := env.CreatePrivate(disk, fresh)
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
	if err = disk.Rename(fresh, name); err == nil {
		err = disk.SyncDir(path.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("%s may have its old or its new content: %w", name, err)
	}
	return nil
}
