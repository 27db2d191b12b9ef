package cgroup

import (
	"os"
	"path/filepath"
)

// Owned lists the directories of the groups that a process made by Create or Take and that exist still, those with a
// name of their own: pins are left out.
func Owned(pid int) (dirs []string) {
	t, err := readTree(self)
	if err != nil {
		return nil
	}
	for _, parent := range t.nurseries() {
		entries, _ := os.ReadDir(parent) // not ours to read, none of ours in it
		for _, e := range entries {
			if maker, ok := owner(e.Name()); ok && maker == pid && e.IsDir() {
				dirs = append(dirs, filepath.Join(parent, e.Name()))
			}
		}
	}
	return dirs
}
