// Package foreign runs programs that other people wrote, and leaves nothing of them behind.
//
// A program is started in a session and a process group of its own, with the environment entry RESPAWN_POOL=id, which
// all its descendants inherit. So they are found by three independent signs (their session, their chain of parents,
// that entry), and ending the program ends them all. A guardian does the same should this process be killed before it
// could.
package foreign

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Command is a program to start.
type Command struct {
	// Argv is the program and its arguments. It is never given to a shell. A name without a slash is looked up in PATH,
	// any other is relative to Dir.
	Argv []string
	// Dir is its working directory. Default: this process's.
	Dir string
	// Env is added to this process's environment; later entries win. TMPDIR is a directory that is removed in the end.
	Env []string
	// Stdin and Stdout are the program's. Default: the null device, and where its standard error goes.
	Stdin, Stdout *os.File
	// Files are its descriptors from 3 on.
	Files []*os.File
	// Unprivileged starts it as the user nobody when this process is root. Otherwise it changes nothing.
	Unprivileged bool
	// User is whom it is started as; "" for this process's own user. To be another takes root.
	User string
	// Install is the command that installs the program, for the error when it is missing. May be empty.
	Install string
}

// Nobody is the number of the user and the group nobody in most distributions.
const Nobody = 65534

// NotInstalledError says that something is missing on this host, and how to get it.
type NotInstalledError struct {
	What    string // a program or a library
	Install string // the command; "" when it is not known
}

func (e *NotInstalledError) Error() string {
	if e.Install == "" {
		return e.What + " is not installed"
	}
	return fmt.Sprintf("%s is not installed: %s", e.What, e.Install)
}

// dropped tells whether the program is started as nobody.
func (c *Command) dropped() bool { return c.Unprivileged && os.Geteuid() == 0 }

// credential is whom the program is started as; nil for this process's own user.
func (c *Command) credential() (*syscall.Credential, error) {
	switch {
	case c.User != "":
		u, err := user.Lookup(c.User)
		if err != nil {
			return nil, fmt.Errorf("there is no user %q here: want one that there is, or none for the user of the run",
				c.User)
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		if int(uid) == os.Geteuid() {
			return nil, nil
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	case c.dropped():
		return &syscall.Credential{Uid: Nobody, Gid: Nobody}, nil
	}
	return nil, nil
}

// CommandError says that a command names no program that can be started.
type CommandError struct{ Problem string }

func (e *CommandError) Error() string { return e.Problem + ": want a program and its arguments" }

// validate finds the program.
func (c *Command) validate() (path string, err error) {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return "", &CommandError{"no command"}
	}
	path = c.Argv[0]
	if c.Dir != "" && strings.Contains(path, "/") && !filepath.IsAbs(path) {
		if path, err = filepath.Abs(filepath.Join(c.Dir, path)); err != nil {
			return "", err
		}
	}
	path, err = exec.LookPath(path)
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return "", &NotInstalledError{What: c.Argv[0], Install: c.Install}
	case err != nil:
		return "", &CommandError{err.Error()}
	}
	return path, nil
}
