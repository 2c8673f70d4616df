package store_test

import (
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
	"github.com/stretchr/testify/require"
)

// The yardsticks use the node's disk, each call of which is one system call: pwrite, pread, fdatasync.

// bareLog is a file that is written, and synced, as the log is, by nothing but system calls.
type bareLog struct {
	b    *testing.B
	disk env.Disk
	file env.File
	at   int64
	made int // files so far
}

func newBareLog(b *testing.B, e env.Env) *bareLog {
	b.Helper()
	l := &bareLog{b: b, disk: e.Disk}
	l.begin()
	return l
}

// begin makes a fresh file, as long as one of the log, and as empty.
func (l *bareLog) begin() {
	l.b.Helper()
	if l.file != nil {
		l.close()
	}
	l.made++
	var err error
	l.file, err = l.disk.Create(fmt.Sprint("bare-", l.made))
	require.NoError(l.b, err)
	require.NoError(l.b, l.file.Truncate(store.DefaultOptions().LogSegmentSize))
	require.NoError(l.b, l.file.Sync(0, l.file.Size()))
	l.at = 0
}

// close also removes the file: what of it is not on the medium need not get there.
func (l *bareLog) close() {
	l.b.Helper()
	require.NoError(l.b, l.file.Close())
	require.NoError(l.b, l.disk.Remove(l.file.Name()))
}

func (l *bareLog) write(p []byte) {
	l.b.Helper()
	if l.at+int64(len(p)) > l.file.Size() {
		l.begin()
	}
	if err := l.file.WriteAt(p, l.at); err != nil {
		l.b.Fatal(err)
	}
	l.at += int64(len(p))
}

func (l *bareLog) sync() {
	l.b.Helper()
	if err := l.file.Sync(0, l.at); err != nil {
		l.b.Fatal(err)
	}
}

// bareScan goes once over a part of the first file of a log in large pieces, with one checksum over all.
type bareScan struct {
	b        *testing.B
	from, to int64
	rewrite  bool // all is written again as it is, and synced, as it must be after a crash
	sum      uint32
}

func (c *bareScan) run(disk env.Disk) {
	c.b.Helper()
	file, err := disk.Open(firstLogFile)
	require.NoError(c.b, err)
	p := make([]byte, 1<<20)
	for at := c.from; at < c.to; at += int64(len(p)) {
		part := p[:min(int64(len(p)), c.to-at)]
		_, err := file.ReadAt(part, at)
		require.NoError(c.b, err)
		c.sum = crc32.Update(c.sum, crc32.IEEETable, part)
		if c.rewrite {
			require.NoError(c.b, file.WriteAt(part, at))
		}
	}
	if c.rewrite {
		require.NoError(c.b, file.Sync(c.from, c.to))
	}
	require.NoError(c.b, file.Close())
}

// firstLogFile is the file with the first byte of the log.
const firstLogFile = "commitlog/00000000000000000000"
