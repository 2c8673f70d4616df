package env

import (
	"errors"
	"io/fs"
)

// Errors of Disk and File. Worlds wrap them, with the path, so that errors.Is works.
// A missing file is fs.ErrNotExist, an unexpected one fs.ErrExist.
var (
	// ErrNoSpace: the disk is full (ENOSPC). Nothing, or a prefix, was written.
	ErrNoSpace = errors.New("no space left on the disk")
	// ErrIO: the medium failed (EIO). What it says of the data: see each call.
	ErrIO = errors.New("input/output error")
	// ErrLocked: another process or node holds the lock.
	ErrLocked = errors.New("locked by another process")
	// ErrFileClosed: the file was closed.
	ErrFileClosed = errors.New("file is closed")
)

// Not exist and exist are the standard library's, named here so that node code
// need not import io/fs.
var (
	ErrNotExist = fs.ErrNotExist
	ErrExist    = fs.ErrExist
)

// Entry is one name in a directory.
type Entry struct {
	Name  string
	Size  int64 // bytes; 0 for a directory
	IsDir bool
}

// Disk is the part of a file system a node may use. Paths are slash-separated
// and relative to the node's root directory.
type Disk interface {
	// Open opens an existing file for reading and writing.
	Open(path string) (File, error)
	// Create makes an empty file, and the missing directories above it, and opens
	// it. It fails with ErrExist if the name is taken.
	Create(path string) (File, error)
	// Rename moves a file, replacing what had the new name, atomically.
	Rename(from, to string) error
	// Remove deletes a file or an empty directory. Open files and views stay readable.
	Remove(path string) error
	// List returns the entries of a directory sorted by name; none if the
	// directory does not exist.
	List(dir string) ([]Entry, error)
	// SyncDir makes creations, renames and removals in dir durable, and the
	// existence of dir itself.
	SyncDir(dir string) error
	// Lock takes an exclusive lock named by a file, which it creates. It does not
	// wait: ErrLocked says that another holds it. A crash releases it.
	Lock(path string) (Lock, error)
	// Usage tells how full the file system is, in bytes.
	Usage() (used, total int64, err error)
}

// PrivateDisk is a Disk that knows of users.
type PrivateDisk interface {
	// CreatePrivate is Create for a file that only the node's own user may read (mode 0600).
	CreatePrivate(path string) (File, error)
}

// CreatePrivate makes a file for secrets. Disks without users make one like any other.
func CreatePrivate(disk Disk, path string) (File, error) {
	if private, ok := disk.(PrivateDisk); ok {
		return private.CreatePrivate(path)
	}
	return disk.Create(path)
}

// Lock is held until Unlock or until the process ends.
type Lock interface {
	Unlock() error
}

// File is an open file. Calls on one file may overlap.
type File interface {
	// Name is the path it was opened with.
	Name() string
	// Size is the length in bytes. What another handle of the same file did to the length counts only
	// after the file was opened again, for View too; ReadAt sees it at once.
	Size() int64
	// WriteAt writes all of p at offset, growing the file as needed. After an error
	// any part of p may have been written. The bytes are visible to View and ReadAt
	// at once, and durable after Sync.
	WriteAt(p []byte, offset int64) error
	// ReadAt fills p from offset. It waits off the baton, so it is the
	// call for bytes that may be cold. It returns the number of bytes read; fewer than
	// len(p) means the file ends there, which is not an error.
	ReadAt(p []byte, offset int64) (int, error)
	// View calls use with the bytes [offset, offset+n), clipped to the file's size, without copying
	// them. It holds the baton, so it is for bytes just written or read. use must not
	// change or keep the slice, nor call this package. A fault of the medium
	// during use ends use and returns ErrIO.
	View(offset int64, n int, use func(p []byte)) error
	// Sync makes the bytes written to [from, to), and the size they imply, durable. If
	// it fails, the range is in doubt for ever (see the package comment).
	Sync(from, to int64) error
	// Allocate reserves space so that the file has at least size bytes; new bytes
	// read as zero.
	Allocate(size int64) error
	// Truncate cuts or extends the file to size bytes; new bytes read as zero. The
	// new size is durable after Sync.
	Truncate(size int64) error
	// Close releases the file. It does not sync.
	Close() error
}
