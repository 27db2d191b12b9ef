package cgroup

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// locate finds where groups with the controller can be made: below the caller's own group, on version 1 where the
// controller has a hierarchy of its own, else on version 2.
func locate(cgroupFile, mountinfo string, c Controller) (place, error) {
	mounts, err := readMounts(mountinfo)
	if err != nil {
		return place{}, err
	}
	data, err := os.ReadFile(cgroupFile)
	if err != nil {
		return place{}, err
	}
	for line := range strings.Lines(string(data)) { // hierarchy:controllers:path, cgroups(7)
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for _, m := range mounts {
			switch {
			case m.version == 1 && slices.Contains(strings.Split(parts[1], ","), string(c)) && slices.Contains(m.controllers, string(c)):
				return place{1, m.dir(parts[2])}, nil
			case m.version == 2 && parts[0] == "0" && parts[1] == "":
				dir := m.dir(parts[2])
				if !offers(dir, "cgroup.controllers", c) {
					continue
				}
				return place{2, dir}, enable(dir, c)
			}
		}
	}
	return place{}, &UnsupportedError{c, "no mounted hierarchy has that controller here", "boot with it enabled, or delegate it to this cgroup"}
}

// mount is one mounted cgroup hierarchy.
type mount struct {
	version     int
	root, point string
	controllers []string
}

// dir is where a group of that path is, as seen through the mount (which may show only a part of the hierarchy).
func (m mount) dir(path string) string {
	if rel, err := filepath.Rel(m.root, path); err == nil && !strings.HasPrefix(rel, "..") {
		return filepath.Join(m.point, rel)
	}
	return m.point
}

// readMounts parses proc_pid_mountinfo(5).
func readMounts(path string) ([]mount, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var mounts []mount
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		left, right, ok := strings.Cut(lines.Text(), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 3 {
			continue
		}
		m := mount{root: l[3], point: l[4]}
		switch r[0] {
		case "cgroup":
			m.version, m.controllers = 1, strings.Split(r[2], ",")
		case "cgroup2":
			m.version = 2
		default:
			continue
		}
		mounts = append(mounts, m)
	}
	return mounts, lines.Err()
}

func offers(dir, file string, c Controller) bool {
	data, err := os.ReadFile(filepath.Join(dir, file))
	return err == nil && slices.Contains(strings.Fields(string(data)), string(c))
}

// enable makes the controller available to the children of a version 2 group. The kernel refuses that while the group
// itself holds processes, unless it is the root; then the caller must sit in a leaf.
func enable(dir string, c Controller) error {
	const file = "cgroup.subtree_control"
	if offers(dir, file, c) {
		return nil
	}
	err := os.WriteFile(filepath.Join(dir, file), []byte("+"+string(c)), 0)
	if isBusy(err) {
		return &UnsupportedError{
			c, fmt.Sprintf("%s holds processes, this one among them, so it cannot have limited children", dir),
			"start this program in a leaf of a delegated cgroup with the controller enabled above it",
		}
	}
	return err
}

// DirVersion is the cgroup version of a group's directory: only version 2 has cgroup.controllers there.
func DirVersion(dir string) int {
	if _, err := os.Stat(filepath.Join(dir, "cgroup.controllers")); err == nil {
		return 2
	}
	return 1
}
