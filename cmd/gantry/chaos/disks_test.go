package chaos_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// diskBytes is the size of a broker's file system.
const diskBytes = 2 << 30

// diskOf is where a broker's file system is mounted.
func diskOf(directory string, machine int) string {
	return filepath.Join(directory, fmt.Sprintf("disk%d", machine))
}

// mountDisks makes a file system for each broker.
func mountDisks(directory string) error {
	for machine := firstBroker; machine < firstBroker+brokersMost; machine++ {
		image, at := diskOf(directory, machine)+".image", diskOf(directory, machine)
		if err := os.WriteFile(image, nil, 0o600); err != nil {
			return err
		}
		if err := errors.Join(os.Truncate(image, diskBytes), os.Mkdir(at, 0o755)); err != nil {
			return err
		}
		// Root may use the last blocks of a file system unless it has none to spare.
		if err := do("mkfs.ext4", "-q", "-m", "0", image); err != nil {
			return err
		}
		if err := do("mount", "-o", "loop", image, at); err != nil {
			return err
		}
	}
	return nil
}

// unmountDisks is for the end, when nobody uses them any more.
func unmountDisks(directory string) error {
	var errs []error
	for machine := firstBroker; machine < firstBroker+brokersMost; machine++ {
		errs = append(errs, syscall.Unmount(diskOf(directory, machine), syscall.MNT_DETACH))
	}
	return errors.Join(errs...)
}

// fill takes all room of a broker's disk but what files have already. The function gives it back.
func fill(directory string, machine int) (heal func() error, err error) {
	path := filepath.Join(diskOf(directory, machine), "filler")
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	end := int64(0)
	// Small pieces take what large ones leave.
	for piece := int64(64 << 20); piece >= 4096; {
		switch err := syscall.Fallocate(int(file.Fd()), 0, end, piece); {
		case err == nil:
			end += piece
		case errors.Is(err, syscall.ENOSPC):
			piece /= 2
		case !errors.Is(err, syscall.EINTR):
			return nil, errors.Join(err, file.Close())
		}
	}
	return func() error { return os.Remove(path) }, file.Close()
}
