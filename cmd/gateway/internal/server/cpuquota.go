package server

import (
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
)

// HashSlots returns how many passwords may be hashed at once. Without a CPU quota it is one
// for each processor: [Spare] raises GOMAXPROCS, so the system can run everything else in
// between. A quota stops all threads once it is used up, so hashes must not use all of it
// (ADR 17).
func HashSlots() int {
	processors := runtime.GOMAXPROCS(0)
	if hasCPUQuota("/") {
		return max(1, processors-1)
	}
	return processors
}

// hasCPUQuota reports whether a control group of this process, or one above it, has a CPU
// quota (Linux, cgroups(7): cpu.max in version 2, cpu.cfs_quota_us in version 1). root is the
// root of the file system.
func hasCPUQuota(root string) bool {
	groups, err := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	if err != nil {
		return false // not Linux
	}
	for line := range strings.Lines(string(groups)) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		switch {
		case id == "0":
			if anyQuota(path.Join(root, "sys/fs/cgroup"), group, "cpu.max", "max") {
				return true
			}
		case slices.Contains(strings.Split(controllers, ","), "cpu"):
			if anyQuota(path.Join(root, "sys/fs/cgroup/cpu"), group, "cpu.cfs_quota_us", "-1") {
				return true
			}
		}
	}
	return false
}

// anyQuota reports whether a file of the group, or of one above it, holds a quota. A file
// that is missing holds none: in a container, the groups above are hidden.
func anyQuota(mount, group, file, none string) bool {
	for group = path.Clean("/" + group); ; group = path.Dir(group) {
		quota, err := os.ReadFile(path.Join(mount, group, file))
		if err == nil && !strings.HasPrefix(string(quota), none) {
			return true
		}
		if group == "/" {
			return false
		}
	}
}
