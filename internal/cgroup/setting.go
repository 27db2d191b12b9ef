package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Setting is one limit of one group: writing the value to the path restores it, whoever does it. That makes it fit for
// a dead man's switch in another process.
type Setting struct{ Path, Value string }

// limitFiles are the files that the setters write.
var limitFiles = map[Controller][3][]string{
	Memory: {1: {v1Limit, v1Both, "memory.swappiness"}, 2: {"memory.swap.max", "memory.max"}},
	Pids:   {1: {"pids.max"}, 2: {"pids.max"}},
	CPU:    {1: {"cpu.cfs_quota_us"}, 2: {"cpu.max"}},
}

// Settings reads the group's limits on all its controllers, as they are now.
func (g *Group) Settings() ([]Setting, error) {
	var all []Setting
	for c, at := range g.at {
		for _, name := range limitFiles[c][at.version] {
			path := filepath.Join(at.dir, name)
			data, err := os.ReadFile(path)
			if err == nil {
				all = append(all, Setting{path, strings.TrimSpace(string(data))})
			} else if optional(err) != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// Restore writes settings back, in an order that the kernel takes (version 1 never lets one limit on memory pass the
// other, so what is refused at first is tried again). Groups that are gone have nothing to restore.
func Restore(settings []Setting) error {
	write := func() (err error) {
		for _, s := range settings {
			if e := write(filepath.Dir(s.Path), filepath.Base(s.Path), s.Value); !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
		return err
	}
	if write() == nil {
		return nil
	}
	return write()
}
