package osenv

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memoryLimits are the files in which a container finds how much memory it may use, in bytes; one of them says "max" for no limit.
var memoryLimits = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// Memory is how much memory this machine, or the container around the process, has, in bytes; 0 if that cannot be found out.
func Memory() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	memory := int64(info.Totalram) * int64(info.Unit)
	for _, path := range memoryLimits {
		memory = min(memory, limitIn(path, memory))
	}
	return memory
}

// limitIn reads a limit. Where there is no such file, or no number in it, there is no limit.
func limitIn(path string, unlimited int64) int64 {
	content, err := os.ReadFile(path)
	if err != nil {
		return unlimited
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
	if err != nil || limit <= 0 {
		return unlimited
	}
	return limit
}
