package attach

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/respawn-go/respawn/internal/procfs"
)

// engine is where a container engine keeps the state of its containers. No daemon is asked.
type engine struct {
	name  string
	files []string // patterns of the files that a container has one of
	read  func(path string) (container, error)
}

// container is one container as its engine's files tell of it.
type container struct {
	names []string // names and ids
	init  int      // its first process; 0: it does not run
}

// root is put before the paths of the engines' files, for tests.
var root = ""

var engines = []engine{
	{"docker", []string{"/var/lib/docker/containers/*/config.v2.json"}, readDocker},
	{"podman", []string{
		"/run/containers/storage/overlay-containers/*/userdata", "/run/user/*/containers/overlay-containers/*/userdata",
	}, readPodman},
	{
		"runc",
		[]string{"/run/runc/*/state.json", "/run/user/*/runc/*/state.json", "/run/docker/runtime-runc/*/*/state.json"},
		readRunc,
	},
	{"crun", []string{"/run/crun/*/status", "/run/user/*/crun/*/status"}, readCrun},
}

func readDocker(path string) (c container, err error) {
	var state struct {
		ID    string
		Name  string
		State struct {
			Running bool
			Pid     int
		}
	}
	if err = readJSON(path, &state); err == nil {
		c.names = []string{strings.TrimPrefix(state.Name, "/"), state.ID}
		if state.State.Running {
			c.init = state.State.Pid
		}
	}
	return c, err
}

// readPodman reads the directory of a container's state; its names are in the storage, by its id.
func readPodman(path string) (c container, err error) {
	id := filepath.Base(filepath.Dir(path))
	c.names = []string{id}
	const store = "containers/storage/overlay-containers/containers.json"
	stores := []string{filepath.Join(root, "/var/lib", store)}
	if home, err := os.UserHomeDir(); err == nil {
		stores = append(stores, filepath.Join(home, ".local/share", store))
	}
	for _, store := range stores {
		var known []struct {
			ID    string   `json:"id"`
			Names []string `json:"names"`
		}
		if readJSON(store, &known) != nil {
			continue
		}
		for _, k := range known {
			if k.ID == id {
				c.names = append(c.names, k.Names...)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(path, "pidfile"))
	if errors.Is(err, os.ErrNotExist) {
		return c, nil // it does not run
	}
	c.init, _ = strconv.Atoi(strings.TrimSpace(string(text)))
	return c, err
}

func readRunc(path string) (c container, err error) {
	var state struct {
		ID  string `json:"id"`
		PID int    `json:"init_process_pid"`
	}
	err = readJSON(path, &state)
	return container{[]string{state.ID}, state.PID}, err
}

func readCrun(path string) (c container, err error) {
	var state struct {
		PID int `json:"pid"`
	}
	err = readJSON(path, &state)
	return container{[]string{filepath.Base(filepath.Dir(path))}, state.PID}, err
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	return err
}

// named tells whether the container has that name, or an id that begins so.
func (c container) named(name string) bool {
	const short = 12 // the shortest id that engines print
	return slices.ContainsFunc(c.names, func(n string) bool {
		return n != "" && (n == name || len(name) >= short && strings.HasPrefix(n, name))
	})
}

// byContainer is the processes of a container, by the control group of its first one.
func (s *Settings) byContainer(table procfs.Table) (found, error) {
	c, by, err := lookUp(s.Container)
	if err != nil {
		return found{}, err
	}
	what := "the container " + s.Container
	if p, ok := table[c.init]; !ok || !p.Alive() {
		return found{}, fmt.Errorf("%s has stopped: its process %d, by the files of %s, is gone", what, c.init, by)
	}
	dir, err := groupOf(c.init)
	if err != nil {
		return found{}, fmt.Errorf("%s: %w", what, err)
	}
	f, err := inGroup(table, dir, what)
	f.main = c.init
	return f, err
}

// lookUp finds a container that runs, and by whose files.
func lookUp(name string) (container, string, error) {
	var stopped string
	refused := false
	for _, e := range engines {
		for _, pattern := range e.files {
			paths, _ := filepath.Glob(root + pattern)
			for _, path := range paths {
				c, err := e.read(path)
				refused = refused || errors.Is(err, os.ErrPermission)
				switch {
				case err != nil || !c.named(name):
				case c.init > 0:
					return c, e.name, nil
				default:
					stopped = e.name
				}
			}
		}
	}
	switch {
	case stopped != "":
		return container{}, "", fmt.Errorf("the container %s of %s does not run: start it first", name, stopped)
	case refused:
		return container{}, "",
			fmt.Errorf("the files of some containers are not yours to read: run as root to look for %s", name)
	}
	return container{}, "", fmt.Errorf("no container of docker, podman, runc or crun is named %s", name)
}

// groupOf is the directory of the control group that a process is in: that of version 2, or of a version 1 hierarchy
// where that is the root.
func groupOf(pid int) (string, error) {
	groups, err := procfs.Groups(pid)
	if err != nil {
		return "", err
	}
	for _, controller := range []string{"", "systemd", "pids", "memory"} {
		path := groups[controller]
		if path == "" || path == "/" {
			continue
		}
		for _, m := range hierarchies() {
			if controller != "" && filepath.Base(m) != controller {
				continue
			}
			dir := filepath.Join(m, path)
			if pids, err := groupProcs(dir); err == nil && pids[pid] {
				return dir, nil
			}
		}
	}
	return "", fmt.Errorf("process %d is in no control group of its own that can be seen here", pid)
}
