package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

func TestMain(m *testing.M) {
	pool.Main() // as main does, for the roles that early cannot serve
	testscript.Main(tests{m}, map[string]func(){"respawn": func() { os.Exit(run(os.Args[1:])) }})
}

// tests are those of this program, where it is not started as a command.
type tests struct{ *testing.M }

// Run sees to it that signals which a shell has it ignore, as of what it runs in the background, reach the commands
// that it starts.
func (t tests) Run() int {
	takes.SideBySide(6)
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	return t.M.Run()
}

// TestScripts runs testdata/script/*.txtar: what each command prints, and with which code it exits.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		WorkdirRoot: t.TempDir(), // removed whichever scripts are run: its own goes only after all of them
		Dir:         "testdata/script",
		Setup: func(e *testscript.Env) error {
			drivers, err := filepath.Abs("../../scenarios/drivers")
			e.Setenv("DRIVERS", drivers)
			e.Setenv("WORKERS", filepath.Join(drivers, "../../workers"))
			return err
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "every":
				return takes.Every(), nil
			case "mounts":
			default:
				return false, fmt.Errorf("there is no condition %s", name)
			}
			return exec.Command("unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt").Run() == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"shorten":    shorten,
			"interrupts": signals(os.Interrupt),
			"terminates": signals(syscall.SIGTERM),
			"hangsup":    signals(syscall.SIGHUP),
			"kills":      signals(syscall.SIGKILL),
			"vanish":     vanish,
		},
	})
}

// exits CODE COMMAND…: the command's exit code is that. What it printed goes to the files stdout.txt and stderr.txt.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code command...")
	}
	cmd := command(ts, args[1:])
	stdout, err := os.Create(ts.MkAbs("stdout.txt"))
	ts.Check(err)
	defer stdout.Close()
	stderr, err := os.Create(ts.MkAbs("stderr.txt"))
	ts.Check(err)
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	expect(ts, args[0], cmd.Run())
}

// signals makes the command that takes CODE PATTERN COMMAND…: COMMAND gets the signal once a line of its stderr
// matches, and exits with that code. What it printed there goes to stderr.txt.
func signals(signal os.Signal) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 3 {
			ts.Fatalf("usage: code pattern command...")
		}
		cmd := command(ts, args[2:])
		stderr, err := cmd.StderrPipe()
		ts.Check(err)
		ts.Check(cmd.Start())
		told, err := os.Create(ts.MkAbs("stderr.txt"))
		ts.Check(err)
		defer told.Close()
		pattern, sent := regexp.MustCompile(args[1]), false
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			ts.Logf("%s", lines.Text())
			fmt.Fprintln(told, lines.Text())
			if !sent && pattern.MatchString(lines.Text()) {
				ts.Check(cmd.Process.Signal(signal))
				sent = true
			}
		}
		expect(ts, args[0], cmd.Wait())
	}
}

// vanish PATTERN: nothing is left that matches, or will not be soon.
func vanish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: vanish pattern")
	}
	for deadline := time.Now().Add(time.Minute); ; <-time.After(5 * time.Millisecond) {
		left, err := filepath.Glob(ts.MkAbs(args[0]))
		ts.Check(err)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v are there still", left)
		}
	}
}

// shorten FILE: takes its last 9 bytes away.
func shorten(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), info.Size()-9))
}

func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	path, err := exec.LookPath(args[0])
	ts.Check(err)
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "TMPDIR="+ts.Getenv("TMPDIR"))
	return cmd
}

func expect(ts *testscript.TestScript, want string, err error) {
	var exit *exec.ExitError
	code := 0
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if !slices.Contains(strings.Split(want, "|"), strconv.Itoa(code)) {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}
