//go:build !linux

package osenv

// Memory is how much memory this machine has, in bytes; 0 because that is not found out here.
func Memory() int64 { return 0 }
