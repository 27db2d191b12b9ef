package cgroup

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// tree is what /proc tells of the control groups of one process.
type tree struct {
	mounts []mount
	groups []membership
}

// mount is one mounted hierarchy, or the part of it that is visible here.
type mount struct {
	version     int
	root, point string // the group at the mount point, and the mount point
	controllers []string
}

// membership is one line of /proc/PID/cgroup: the group, by its path from the root of the hierarchy.
type membership struct {
	controllers []string // nil for version 2
	path        string
}

// source is where a tree is read from.
type source struct{ groups, mounts string }

var self = source{"/proc/self/cgroup", "/proc/self/mountinfo"}

// ofProcess reads another process's groups, but through our own mounts.
func ofProcess(pid int) source { return source{fmt.Sprintf("/proc/%d/cgroup", pid), self.mounts} }

func readTree(from source) (tree, error) {
	var t tree
	if err := eachLine(from.mounts, t.addMount); err != nil {
		return t, err
	}
	return t, eachLine(from.groups, t.addGroup)
}

func eachLine(path string, do func(string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		do(lines.Text())
	}
	return lines.Err()
}

// unescape undoes what the kernel does to white space in mountinfo.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace

// addMount parses a line of proc_pid_mountinfo(5).
func (t *tree) addMount(line string) {
	left, right, ok := strings.Cut(line, " - ")
	l, r := strings.Fields(left), strings.Fields(right)
	if !ok || len(l) < 5 || len(r) < 3 {
		return
	}
	m := mount{root: unescape(l[3]), point: unescape(l[4])}
	switch r[0] {
	case "cgroup":
		m.version, m.controllers = 1, strings.Split(r[2], ",")
	case "cgroup2":
		m.version = 2
	default:
		return
	}
	t.mounts = append(t.mounts, m)
}

// addGroup parses a line of /proc/PID/cgroup, cgroups(7): hierarchy:controllers:path.
func (t *tree) addGroup(line string) {
	parts := strings.SplitN(line, ":", 3)
	if len(parts) != 3 {
		return
	}
	m := membership{path: strings.TrimSuffix(parts[2], " (deleted)")}
	if parts[0] != "0" || parts[1] != "" {
		m.controllers = strings.Split(parts[1], ",")
	}
	t.groups = append(t.groups, m)
}

// dir is where the group is visible through the mount. A mount may show a part of the hierarchy only (root is not "/"),
// and a group outside of this process's cgroup namespace has a path that begins with "/..".
func (m mount) dir(path string) (string, bool) {
	if path == "/.." || strings.HasPrefix(path, "/../") {
		return "", false
	}
	rel, err := filepath.Rel(m.root, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", false
	}
	return filepath.Join(m.point, rel), true
}

// legacy finds the process's group with that controller on version 1.
func (t tree) legacy(c Controller) (dir string, ok bool) {
	for _, g := range t.groups {
		if !slices.Contains(g.controllers, string(c)) {
			continue
		}
		for _, m := range t.mounts {
			if m.version == 1 && slices.Contains(m.controllers, string(c)) {
				if dir, ok = m.dir(g.path); ok {
					return dir, true
				}
			}
		}
	}
	return "", false
}

// unified finds the process's group on version 2, and the topmost one that is visible.
func (t tree) unified() (dir, top string, ok bool) {
	for _, g := range t.groups {
		if g.controllers != nil {
			continue
		}
		for _, m := range t.mounts {
			if m.version == 2 {
				if dir, ok = m.dir(g.path); ok {
					return dir, m.point, true
				}
			}
		}
	}
	return "", "", false
}

// find finds the process's group with that controller, on the version that has it.
func (t tree) find(c Controller) (place, bool) {
	if dir, ok := t.legacy(c); ok {
		return place{version: 1, dir: dir}, true
	}
	if dir, top, ok := t.unified(); ok && offers(top, available, c) {
		return place{version: 2, dir: dir}, true
	}
	return place{}, false
}

// missing says that find found nothing.
func (t tree) missing(c Controller) error {
	reason := "no mounted hierarchy has that controller"
	if len(t.mounts) == 0 {
		reason = "no control groups are mounted"
	}
	return &UnsupportedError{c, reason, inKernel}
}

// The files of a version 2 group that name its own controllers, and those of the groups below it.
const (
	available = "cgroup.controllers"
	below     = "cgroup.subtree_control"
)

func offers(dir, file string, c Controller) bool {
	data, err := os.ReadFile(filepath.Join(dir, file))
	return err == nil && slices.Contains(strings.Fields(string(data)), string(c))
}

// DirVersion is the cgroup version of a group's directory: only version 2 has cgroup.controllers there.
func DirVersion(dir string) int {
	if _, err := os.Stat(filepath.Join(dir, available)); err == nil {
		return 2
	}
	return 1
}
