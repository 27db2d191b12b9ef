package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// fake is a tree as /proc would show it. In the mounts and files "TMP" stands for the test's directory.
type fake struct {
	mounts, groups string
	files          map[string]string
}

func (f fake) read(t *testing.T) (tree, string) {
	t.Helper()
	g, tmp := NewWithT(t), t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(tmp, name)
		g.Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
		g.Expect(os.WriteFile(path, []byte(strings.ReplaceAll(text, "TMP", tmp)), 0o644)).To(Succeed())
		return path
	}
	for name, text := range f.files {
		put(name, text)
	}
	got, err := readTree(source{put("cgroup", f.groups), put("mountinfo", f.mounts)})
	g.Expect(err).NotTo(HaveOccurred())
	return got, tmp
}

const (
	v2mount  = "30 23 0:26 / TMP/fs rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	v1memory = "35 31 0:32 / TMP/fs/memory rw - cgroup cgroup rw,memory\n"
	v1cpu    = "32 31 0:29 / TMP/fs/cpu,cpuacct rw master:9 - cgroup cgroup rw,cpu,cpuacct\n"
	others   = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:5 / /proc rw - proc proc rw\nrubbish\n\n"
)

func TestFindFollowsTheMountsAndTheGroups(t *testing.T) {
	top := map[string]string{"fs/cgroup.controllers": "cpu memory pids\n"}
	for name, c := range map[string]struct {
		fake
		controller Controller
		version    int
		dir        string // "" for not found
	}{
		"version 1": {
			fake{others + v1cpu + v1memory, "9:name=systemd:/\n4:memory:/a/b\n1:cpu,cpuacct:/c\n0::/\n", nil},
			Memory, 1, "fs/memory/a/b",
		},
		"version 1, mounted together": {
			fake{v1memory + v1cpu, "4:memory:/\n1:cpu,cpuacct:/c\n", nil}, CPU, 1, "fs/cpu,cpuacct/c",
		},
		"version 1, not mounted": {
			fake{v1cpu, "4:memory:/a\n1:cpu,cpuacct:/c\n", nil}, Memory, 0, "",
		},
		"version 2": {
			fake{others + v2mount, "0::/user.slice/user-1000.slice/session-3.scope\n", top},
			Memory, 2, "fs/user.slice/user-1000.slice/session-3.scope",
		},
		"version 2, at the root": {fake{v2mount, "0::/\n", top}, Pids, 2, "fs"},
		"version 2 without that controller": {
			fake{v2mount, "0::/a\n", map[string]string{"fs/cgroup.controllers": "cpu\n"}}, Memory, 0, "",
		},
		"version 2, the group was removed": {
			fake{v2mount, "0::/a (deleted)\n", top}, Pids, 2, "fs/a",
		},
		"hybrid, the controller on version 1": {
			fake{v2mount + v1memory, "4:memory:/m\n0::/u\n", top}, Memory, 1, "fs/memory/m",
		},
		"hybrid, the controller on version 2": {
			fake{v2mount + v1memory, "4:memory:/m\n0::/u\n", top}, Pids, 2, "fs/u",
		},
		"a container with a cgroup namespace": {
			fake{"40 35 0:26 / TMP/fs ro - cgroup2 cgroup rw\n", "0::/\n", top}, CPU, 2, "fs",
		},
		"a container without one: the mount shows a part": {
			fake{
				"40 35 0:32 /docker/abc TMP/fs/memory ro - cgroup cgroup rw,memory\n", "4:memory:/docker/abc/x\n", nil,
			},
			Memory, 1, "fs/memory/x",
		},
		"another part of the hierarchy than the mount shows": {
			fake{"40 35 0:32 /docker/abc TMP/fs/memory ro - cgroup cgroup rw,memory\n", "4:memory:/docker/abcd\n", nil},
			Memory, 0, "",
		},
		"the second mount shows it": {
			fake{"40 35 0:32 /other TMP/no rw - cgroup cgroup rw,memory\n" + v1memory, "4:memory:/a\n", nil},
			Memory, 1, "fs/memory/a",
		},
		"outside of the cgroup namespace": {fake{v2mount, "0::/../neighbour\n", top}, Memory, 0, ""},
		"a mount point with a space": {
			fake{
				`30 23 0:26 / TMP/f\040s rw - cgroup2 cgroup2 rw` + "\n", "0::/a:b\n",
				map[string]string{"f s/cgroup.controllers": "memory"},
			},
			Memory, 2, "f s/a:b",
		},
		"nothing mounted": {fake{others, "0::/\n", nil}, Memory, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			tree, tmp := c.read(t)

			at, ok := tree.find(c.controller)

			g.Expect(ok).To(Equal(c.dir != ""))
			g.Expect(at.version).To(Equal(c.version))
			if ok {
				g.Expect(at.dir).To(Equal(filepath.Join(tmp, c.dir)))
			}
		})
	}
}

// grown is a version 2 tree in which the process is in /app/me, and which gives controllers to the children of /app.
var grown = fake{v2mount, "0::/app/me\n", map[string]string{
	"fs/cgroup.controllers":            "cpu memory pids",
	"fs/cgroup.subtree_control":        "cpu memory pids",
	"fs/cgroup.procs":                  "",
	"fs/app/cgroup.controllers":        "cpu memory pids",
	"fs/app/cgroup.subtree_control":    "memory pids",
	"fs/app/cgroup.procs":              "",
	"fs/app/me/cgroup.controllers":     "memory pids",
	"fs/app/me/cgroup.subtree_control": "memory",
	"fs/app/me/cgroup.procs":           "",
}}

func TestCreateGoesUpToAGroupThatHasEveryController(t *testing.T) {
	for _, c := range []struct {
		want []Controller
		dir  string
	}{
		{[]Controller{Memory}, "fs/app/me/g"},
		{[]Controller{Memory, Pids}, "fs/app/me/g"},
		{[]Controller{Memory, CPU}, "fs/app/g"},
	} {
		tree, tmp := grown.read(t)
		cg, err := tree.create("g", c.want)
		g := NewWithT(t)
		g.Expect(err).NotTo(HaveOccurred())
		for _, controller := range c.want {
			g.Expect(cg.Dir(controller)).To(Equal(filepath.Join(tmp, c.dir)))
			g.Expect(cg.Version(controller)).To(Equal(2))
		}
		g.Expect(cg.Remove()).To(Succeed())
		g.Expect(filepath.Join(tmp, c.dir)).NotTo(BeADirectory())
	}
}

func TestCreateSaysWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		fake
		says string
	}{
		"no mounts": {
			fake{others, "0::/\n", nil},
			"no memory cgroup: no control groups are mounted; boot a kernel",
		},
		"not enabled": {fake{v2mount, "0::/a\n", map[string]string{
			"fs/cgroup.controllers": "memory", "fs/a/cgroup.controllers": "pids", "fs/cgroup.procs": "",
		}}, "is not enabled for .*/fs/a; enable it in cgroup.subtree_control"},
		"not controlled": {fake{v1cpu, "0::/\n", nil}, "no mounted hierarchy has that controller"},
	} {
		t.Run(name, func(t *testing.T) {
			tree, _ := c.read(t)
			_, err := tree.create("g", []Controller{Memory})
			NewWithT(t).Expect(err).To(MatchError(MatchRegexp(c.says)))
		})
	}
}

func TestCreateLeavesNothingWhenOneControllerIsMissing(t *testing.T) {
	g := NewWithT(t)
	tree, tmp := fake{v1memory, "4:memory:/\n", map[string]string{"fs/memory/tasks": ""}}.read(t)
	_, err := tree.create("g", []Controller{Memory, Pids})
	g.Expect(err).To(MatchError(ContainSubstring("no pids cgroup")))
	g.Expect(filepath.Join(tmp, "fs/memory/g")).NotTo(BeADirectory())
}

func TestOwnerOfAGroup(t *testing.T) {
	for name, want := range map[string]int{
		"respawn-12-worker-13": 12, "respawn-12-": 12, "respawn-self-12": 12, "respawn-self-": 0, "respawn-12": 0,
		"respawn--1": 0, "respawn-x-1": 0, "other-12-1": 0,
	} {
		pid, ok := owner(name)
		NewWithT(t).Expect(ok).To(Equal(want > 0), name)
		if ok {
			NewWithT(t).Expect(pid).To(Equal(want), name)
		}
	}
}
