package cgroup

import "golang.org/x/sys/unix"

// IsGroup tells whether the directory is that of a control group.
func IsGroup(dir string) bool {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return false
	}
	return fs.Type == unix.CGROUP_SUPER_MAGIC || fs.Type == unix.CGROUP2_SUPER_MAGIC
}
