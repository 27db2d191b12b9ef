package attach

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/scenarios/targets/members"
)

// found is what a look at the host gave: the main process, and which processes are the target's.
type found struct {
	main int                // 0: there is none
	in   func(pid int) bool // nil: those below the main process
	what string             // "the control group /a/b"
}

// find looks for the target in a table of processes. was is what its main process was at the last look, 0 at the first.
func (s *Settings) find(table procfs.Table, was int) (found, error) {
	switch s.ways()[0] {
	case "pid":
		return s.byNumber(table, int(s.PID), fmt.Sprintf("process %d", s.PID))
	case "pidfile":
		return s.byPidfile(table)
	case "port":
		return s.byPort(table, was)
	case "cgroup":
		dir, err := groupDir(s.Cgroup)
		if err != nil {
			return found{}, err
		}
		return inGroup(table, dir, "the control group "+s.Cgroup)
	case "unit":
		dir, err := unitDir(s.Unit)
		if err != nil {
			return found{}, err
		}
		return inGroup(table, dir, "the unit "+s.Unit)
	case "container":
		return s.byContainer(table)
	}
	return s.byName(table)
}

// byNumber is the main process of that number, if it runs the program that the settings name.
func (s *Settings) byNumber(table procfs.Table, pid int, what string) (found, error) {
	p, ok := table[pid]
	if !ok || !p.Alive() {
		return found{}, fmt.Errorf("%s is gone: nobody has that number", what)
	}
	if name := procfs.Name(pid); s.Name != "" && !sameName(name, s.Name) {
		return found{}, fmt.Errorf("%s runs %s and not %s: the number has passed to another process",
			what, name, s.Name)
	}
	return found{main: pid, what: what}, nil
}

// sameName compares with a name that the kernel keeps 15 bytes of.
func sameName(comm, name string) bool {
	const kept = 15
	return comm == name[:min(kept, len(name))]
}

func (s *Settings) byPidfile(table procfs.Table) (found, error) {
	text, err := os.ReadFile(s.Pidfile)
	if err != nil {
		return found{}, fmt.Errorf("the pidfile cannot be read: %w", err)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid < 1 {
		return found{}, fmt.Errorf("the pidfile %s holds %.40q: want the number of a process", s.Pidfile, first)
	}
	return s.byNumber(table, pid, fmt.Sprintf("process %d of the pidfile %s", pid, s.Pidfile))
}

// byName is the one process of that name and owner whose parent has another name.
func (s *Settings) byName(table procfs.Table) (found, error) {
	uid, err := s.uid()
	if err != nil {
		return found{}, err
	}
	named := map[int]bool{}
	for pid, p := range table {
		if p.Alive() && !p.Kernel && sameName(procfs.Name(pid), s.Name) {
			if id, err := procfs.Identify(pid); err == nil && id.UID == uid {
				named[pid] = true
			}
		}
	}
	var top []int
	for pid := range named {
		if !named[table[pid].PPID] {
			top = append(top, pid)
		}
	}
	slices.Sort(top)
	switch len(top) {
	case 0:
		return found{}, fmt.Errorf("no process of %s is named %s", s.Owner, s.Name)
	case 1:
		return found{main: top[0], what: fmt.Sprintf("process %d, %s of %s", top[0], s.Name, s.Owner)}, nil
	}
	return found{}, fmt.Errorf("%d processes of %s are named %s: %s; want one, so say which by pid or pidfile",
		len(top), s.Owner, s.Name, list(top))
}

// byPort is who holds the socket that listens there.
func (s *Settings) byPort(table procfs.Table, was int) (found, error) {
	known := table
	if p, ok := table[was]; ok && p.Alive() && was > 1 { // those that it has started, which is much less to look at
		known = procfs.Table{was: p}
		for _, pid := range table.Descendants(was) {
			known[pid] = table[pid]
		}
	}
	holders, err := holdersOf(known, int(s.Port))
	if err != nil && len(known) < len(table) {
		holders, err = holdersOf(table, int(s.Port))
	}
	if err != nil {
		return found{}, err
	}
	if slices.Contains(holders, 1) {
		return found{}, fmt.Errorf(
			"process 1 holds port %d, as for a service that it starts on demand: name the service by unit", s.Port)
	}
	what := fmt.Sprintf("what listens at port %d", s.Port)
	in := func(pid int) bool { return slices.Contains(holders, pid) }
	if len(holders) == 1 {
		return found{main: holders[0], what: what}, nil
	}
	above := func(pid int) bool { // all the others
		return !slices.ContainsFunc(holders, func(other int) bool {
			return !table.Has(other, func(p int) bool { return p == pid })
		})
	}
	if i := slices.IndexFunc(holders, above); i >= 0 {
		return found{main: holders[i], what: what, in: in}, nil
	}
	parents, programs := map[int]bool{}, map[string]bool{}
	for _, pid := range holders {
		parents[table[pid].PPID] = true
		id, _ := procfs.Identify(pid)
		programs[id.File] = true
	}
	if len(parents) > 1 && len(programs) > 1 {
		return found{}, fmt.Errorf(
			"port %d is held by processes of several programs and parents: %s; say which by pid, unit or container",
			s.Port, list(holders))
	}
	return found{main: table[holders[0]].PPID, what: what, in: in}, nil
}

// holdersOf lists the processes that have a socket which listens at the port: in this process's network namespace, or
// if nobody does there in the one other where somebody does.
func holdersOf(table procfs.Table, port int) (holders []int, err error) {
	own := procfs.NetworkOf(os.Getpid())
	spaces := map[string][]int{}
	hidden := 0
	for pid, p := range table {
		if !p.Alive() || p.Kernel {
			continue
		}
		if space := procfs.NetworkOf(pid); space != "" {
			spaces[space] = append(spaces[space], pid)
		} else {
			hidden++
		}
	}
	sockets, err := procfs.Listeners(os.Getpid(), port)
	if err != nil {
		return nil, err
	}
	if len(sockets) == 0 {
		var others []string
		for space, pids := range spaces {
			if s, err := procfs.Listeners(pids[0], port); err == nil && len(s) > 0 && space != own {
				others, sockets, own = append(others, space), s, space
			}
		}
		if len(others) > 1 {
			return nil, fmt.Errorf("somebody listens at port %d in %d network namespaces: name the one by container",
				port, len(others))
		}
	}
	if len(sockets) == 0 {
		return nil, fmt.Errorf("nobody listens at port %d", port)
	}
	for _, pid := range spaces[own] {
		if procfs.HasSocket(pid, sockets) {
			holders = append(holders, pid)
		}
	}
	slices.Sort(holders)
	if len(holders) == 0 && hidden > 0 {
		return nil, fmt.Errorf(
			"somebody listens at port %d whose open files are not yours to see: run as its user or as root", port)
	}
	if len(holders) == 0 {
		return nil, fmt.Errorf("a socket listens at port %d, but no process that can be seen holds it", port)
	}
	return holders, nil
}

// inGroup is the processes of a control group and those below it.
func inGroup(table procfs.Table, dir, what string) (found, error) {
	pids, err := groupProcs(dir)
	if err != nil {
		return found{}, err
	}
	f := found{what: what, in: func(pid int) bool { return pids[pid] }}
	var top []int
	for pid := range pids {
		if p, ok := table[pid]; ok && p.Alive() && !pids[p.PPID] {
			top = append(top, pid)
		}
	}
	if len(top) == 1 {
		f.main = top[0]
	}
	return f, nil
}

// members are those that the rule makes members, and the rule in words.
func (s *Settings) members(table procfs.Table, f found) (pids []int, words string) {
	in := func(pid int) bool { return pid != f.main && (f.in == nil || f.in(pid)) }
	below := func(r members.Rule) []int {
		return slices.DeleteFunc(r.Below(table, f.main, nil), func(pid int) bool { return !in(pid) })
	}
	if s.Rule != nil {
		if f.main == 0 || s.Rule.Tree && f.in != nil {
			return s.Rule.Among(table, func(pid int) bool { return f.in != nil && in(pid) }), s.Rule.Of(f.what)
		}
		return below(*s.Rule), s.Rule.Of(f.what)
	}
	var all members.Rule
	if f.main == 0 {
		return all.Among(table, func(pid int) bool { return f.in != nil && f.in(pid) }), "all of " + f.what
	}
	if pids = below(all); len(pids) > 0 {
		return pids, all.Of(f.what)
	}
	if way := s.ways()[0]; way == "port" || way == "cgroup" || way == "unit" {
		return all.Among(table, func(pid int) bool { return pid == f.main }), f.what
	}
	return nil, all.Of(f.what)
}

// list is processes as text: "12 (nginx), 13 (bash)".
func list(pids []int) string {
	const most = 8
	var words []string
	for _, pid := range pids[:min(most, len(pids))] {
		words = append(words, fmt.Sprintf("%d (%s)", pid, procfs.Name(pid)))
	}
	if len(pids) > most {
		words = append(words, fmt.Sprintf("and %d more", len(pids)-most))
	}
	return strings.Join(words, ", ")
}

// groupDir is the directory of a control group: one that is given, or of its path in a hierarchy that has it.
func groupDir(path string) (string, error) {
	mounts := hierarchies()
	candidates := []string{filepath.Clean(path)}
	for _, m := range mounts {
		candidates = append(candidates, filepath.Join(m, path))
	}
	for _, dir := range candidates {
		within := slices.ContainsFunc(mounts, func(m string) bool { return dir == m || strings.HasPrefix(dir, m+"/") })
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil && within {
			if slices.Contains(mounts, dir) {
				return "", fmt.Errorf("%s is the root of all control groups, which holds everybody: name one below it",
					path)
			}
			return dir, nil
		}
	}
	return "", fmt.Errorf(
		"there is no control group %s here: want a directory such as /sys/fs/cgroup/NAME, or its path there", path)
}

// hierarchies are the directories at which control groups are mounted.
func hierarchies() (dirs []string) {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(text)) {
		before, after, ok := strings.Cut(line, " - ")
		if f := strings.Fields(before); ok && strings.HasPrefix(after, "cgroup") && len(f) > 4 {
			dirs = append(dirs, f[4])
		}
	}
	return dirs
}

// unitDir is the control group of a systemd unit: the directory of its name, at most four levels down.
func unitDir(unit string) (string, error) {
	if !strings.Contains(unit, ".") {
		unit += ".service"
	}
	for _, m := range hierarchies() {
		var at []string
		for depth, pattern := 0, m; depth < 4; depth++ {
			here, _ := filepath.Glob(filepath.Join(pattern, unit))
			at = append(at, here...)
			pattern = filepath.Join(pattern, "*")
		}
		at = slices.DeleteFunc(at,
			func(dir string) bool { pids, err := groupProcs(dir); return err != nil || len(pids) == 0 })
		switch {
		case len(at) == 1:
			return at[0], nil
		case len(at) > 1:
			return "", fmt.Errorf("there are %d units %s: %s; name one by cgroup",
				len(at), unit, strings.Join(at, ", "))
		}
	}
	return "", fmt.Errorf("no control group of a unit %s has processes: is it active (systemctl status %s)?",
		unit, unit)
}

// groupProcs is the processes in a control group and in those below it, without those that this pid namespace does not
// see.
func groupProcs(dir string) (map[int]bool, error) {
	pids := map[int]bool{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			if path == dir {
				return err
			}
			return nil
		}
		text, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil && path == dir {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 0 {
				pids[pid] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("the control group is gone: %w", err)
	}
	return pids, nil
}
