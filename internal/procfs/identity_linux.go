package procfs

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// Identify looks at who a process is. The error is fs.ErrNotExist when there is none.
func Identify(pid int) (Identity, error) {
	p, err := Read(pid)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{PID: pid, Started: int64(p.Started / tick), UID: -1}
	if info, err := os.Stat(file(pid, "")); err == nil {
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			id.UID = int(s.Uid)
		}
	}
	if id.UID < 0 {
		return id, fmt.Errorf("process %d: %w", pid, fs.ErrNotExist)
	}
	id.Exe, _ = os.Readlink(file(pid, "exe"))
	if info, err := os.Stat(file(pid, "exe")); err == nil {
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			id.File = fmt.Sprintf("%d:%d", s.Dev, s.Ino)
		}
	}
	return id, nil
}

// Args is the command line of a process, nil for zombies and kernel threads.
func Args(pid int) []string {
	data, err := os.ReadFile(file(pid, "cmdline"))
	if err != nil || len(data) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
}

// Name is the name of a process's program, at most 15 bytes; "" when it is gone.
func Name(pid int) string {
	name, _ := os.ReadFile(file(pid, "comm"))
	return strings.TrimSuffix(string(name), "\n")
}

// IsInit tells whether a process is the first of a pid namespace, which takes all others with it when it ends.
func IsInit(pid int) bool {
	status, err := os.ReadFile(file(pid, "status"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if numbers, ok := strings.CutPrefix(line, "NSpid:"); ok {
			f := strings.Fields(numbers)
			return len(f) > 0 && f[len(f)-1] == "1"
		}
	}
	return false
}

// Groups is the control groups that a process is in: by controller, "" for version 2, its path within the hierarchy.
func Groups(pid int) (map[string]string, error) {
	data, err := os.ReadFile(file(pid, "cgroup"))
	if err != nil {
		return nil, gone(err)
	}
	groups := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3); len(f) == 3 {
			for c := range strings.SplitSeq(f[1], ",") {
				groups[strings.TrimPrefix(c, "name=")] = f[2]
			}
		}
	}
	return groups, nil
}

// HasSocket tells whether a process has one of these sockets open. Without the right to look it has none.
func HasSocket(pid int, sockets map[string]bool) bool {
	return slices.ContainsFunc(linksOf(pid), func(link string) bool { return sockets[link] })
}

// PortsOf is the TCP ports at which a process has a socket that listens, in order; nil without the right to look.
func PortsOf(pid int) (ports []int) {
	all, _ := Listening(pid)
	for _, link := range linksOf(pid) {
		if port, ok := all[link]; ok {
			ports = append(ports, port)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// linksOf is what the open files of a process link to.
func linksOf(pid int) (links []string) {
	dir, err := os.Open(file(pid, "fd"))
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if link, err := os.Readlink(file(pid, "fd/"+name)); err == nil {
			links = append(links, link)
		}
	}
	return links
}

// NetworkOf names the network namespace of a process; "" where it cannot be read.
func NetworkOf(pid int) string {
	link, _ := os.Readlink(file(pid, "ns/net"))
	return link
}
