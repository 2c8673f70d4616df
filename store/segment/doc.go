// Package segment keeps a row of fixed-size files that one growing offset
// addresses: the shape of the commit log and of each consume queue (class
// MappedFileQueue).
//
// File n begins at a multiple of the size and is named by that offset, as decimal with
// 20 digits. Every file has its full size from the moment it exists; unwritten bytes are zero.
//
// A Row belongs to one node and is used with its baton held. All calls that reach files, but Close, wait for the disk.
//
// A file that Create returned survives a crash, with its size. Written bytes survive once Sync has
// returned; the first Sync after Open also makes the names that Open found durable. Cut makes the bytes from an offset on zero, durably, so that nothing that was cut can be read
// again. ReplaceFile, WriteDocument and ReadDocument are about small files beside the rows.
package segment
