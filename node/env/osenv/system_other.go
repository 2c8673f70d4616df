//go:build unix && !linux

package osenv

import (
	"errors"
	"os"

	"github.com/gantrymq/gantry/node/env"
	"golang.org/x/sys/unix"
)

// syncData is a full fsync where fdatasync is not to be had.
func syncData(descriptor int) error { return unix.Fsync(descriptor) }

func truncate(descriptor int, size int64) error { return unix.Ftruncate(descriptor, size) }

// allocate only extends the file: the space is not reserved.
func allocate(descriptor int, size int64) error { return truncate(descriptor, size) }

func mapFile(f *os.File, size int64) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
}

func unmapFile(mapped []byte) { _ = unix.Munmap(mapped) }

// lockHandle locks the whole file; it excludes a second node in this process too.
func lockHandle(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return env.ErrLocked
	}
	return err
}

func unlockHandle(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }

func fileSystemUsage(path string) (used, total int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, err
	}
	block := int64(s.Bsize)
	total = int64(s.Blocks) * block
	return total - int64(s.Bavail)*block, total, nil
}
