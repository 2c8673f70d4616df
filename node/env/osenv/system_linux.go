package osenv

import (
	"errors"
	"os"

	"github.com/gantrymq/gantry/node/env"
	"golang.org/x/sys/unix"
)

// syncData makes the file's data, and the size needed to read it, durable.
func syncData(descriptor int) error {
	for {
		err := unix.Fdatasync(descriptor)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func truncate(descriptor int, size int64) error { return unix.Ftruncate(descriptor, size) }

// allocate reserves blocks, so that later writes into them cannot fail for want of space.
func allocate(descriptor int, size int64) error {
	err := unix.Fallocate(descriptor, 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return truncate(descriptor, size)
	}
	return err
}

// mapFile maps the first size bytes for reading. Read-ahead around a fault would read
// far more than a view needs, so it is switched off.
func mapFile(f *os.File, size int64) ([]byte, error) {
	mapped, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	// Advice only: a failure costs speed, not correctness.
	_ = unix.Madvise(mapped, unix.MADV_RANDOM)
	return mapped, nil
}

func unmapFile(mapped []byte) { _ = unix.Munmap(mapped) }

// lockHandle locks the first byte, as a Java broker does, so that both exclude each other. An
// "open file description" lock also excludes a second node in this process.
func lockHandle(f *os.File) error {
	err := setLock(f, unix.F_WRLCK)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return env.ErrLocked
	}
	return err
}

func unlockHandle(f *os.File) error { return setLock(f, unix.F_UNLCK) }

func setLock(f *os.File, kind int16) error {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: kind, Whence: 0, Start: 0, Len: 1})
}

func fileSystemUsage(path string) (used, total int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, err
	}
	block := int64(s.Bsize)
	total = int64(s.Blocks) * block
	return total - int64(s.Bavail)*block, total, nil
}
