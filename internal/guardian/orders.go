// Package guardian holds the process that ends what another process started once that one is gone, however it went: the
// pool's safety net for its workers, and the dead man's switch of a chaos harness.
package guardian

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The guardian is a small re-executed process in a session of its own. A worker ends itself when it sees its socket
// close; the guardian is for those that cannot: stopped, stuck, or already dead with descendants left behind.
//
// It reads lines from a pipe whose other end only the pool's process holds:
//
//	watch PID VERSION DIR   a worker's process group, and its cgroup if it has one (VERSION 0 and no DIR if not)
//	forget PID              the worker was reaped
//	undo PATH VALUE         write VALUE to the file when the pool's process is gone
//	cont PID WORD           continue the process when the pool's process is gone, and say WORD once it is held
//	done KEY                the undo of PATH, or the cont of PID, is not needed any more
//	of PID                  the pool's process
//	remove PATH             remove the directory when the pool's process is gone; PATH may hold spaces
//	keep PATH               do not
//	bye                     a clean end: exit without doing anything
//
// At the end of the pipe without bye it undoes what is to be undone, and kills: every watched cgroup; every watched
// process group; and every process whose environment carries the pool's marker, until no more are found. Last it
// removes, cgroups that the process made and that nobody is in any more included.

// ErrClosed is the error of telling a guardian something after Close.
var ErrClosed = errors.New("guardian: closed")

// orders is what a guardian has been told.
type orders struct {
	watched map[int]guarded
	undo    map[string]string // by path
	cont    map[int]io.Closer // held likewise
	remove  map[string]bool   // directories, by absolute path
	of      int               // the pool's process
	bye     bool
}

// guarded is one worker.
type guarded struct {
	version int
	dir     string
	hold    io.Closer // its pidfd, so that its number is known to be its own
}

// readOrders reads lines until the end of the pipe or bye; lines it does not understand are passed over. open is called
// for every process named, and say with the word of an order to continue one, once that one is held.
func readOrders(r io.Reader, open func(pid int) io.Closer, say func(word string)) orders {
	o := orders{
		watched: map[int]guarded{}, undo: map[string]string{}, cont: map[int]io.Closer{}, remove: map[string]bool{},
	}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return o // what is left is half a line, and no order
		}
		verb, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		first, second, _ := strings.Cut(rest, " ")
		pid, _ := strconv.Atoi(first)
		switch {
		case verb == "watch" && pid > 1:
			version, dir, _ := strings.Cut(second, " ")
			g := guarded{dir: dir}
			g.version, _ = strconv.Atoi(version)
			if old, ok := o.watched[pid]; ok {
				g.hold = old.hold
			} else {
				g.hold = open(pid)
			}
			o.watched[pid] = g
		case verb == "forget":
			if old, ok := o.watched[pid]; ok && old.hold != nil {
				old.hold.Close()
			}
			delete(o.watched, pid)
		case verb == "undo" && first != "":
			o.undo[first] = second
		case verb == "cont" && pid > 1:
			if o.cont[pid] == nil {
				o.cont[pid] = open(pid)
			}
			say(second)
		case verb == "done":
			delete(o.undo, first)
			if hold := o.cont[pid]; hold != nil {
				hold.Close()
			}
			delete(o.cont, pid)
		case verb == "of":
			o.of = pid
		case verb == "remove" && strings.HasPrefix(rest, "/"):
			o.remove[rest] = true
		case verb == "keep":
			delete(o.remove, rest)
		case verb == "bye":
			o.bye = true
			return o
		}
	}
}

func watchLine(pid, version int, dir string) string {
	return fmt.Sprintf("watch %d %d %s\n", pid, version, dir)
}
