//go:build linux

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// job is what a worker is sent, a line of JSON on its standard input.
type job struct {
	Task    uint64
	N       int64
	MS      int64  // how long it takes
	Witness string // the file that executions are recorded in, "" for none

	Extra  int  // executions beyond the first
	Behind int  // the lock that it holds while it works, and waits for, 0 for none
	As     int  // the process to record in place of its own; 0: its own
	Aside  bool // beside what it runs
	Tells  bool // that it begins
}

// reply is what a worker answers, a line of JSON on its standard output. The first tells that it is ready.
type reply struct {
	Task   uint64
	Value  int64
	Begins bool // it has not done the task yet
}

// What can be wrong with a worker: its arguments.
const (
	staying  = "staying"  // it outlives its parent
	begetter = "begetter" // it starts a process of its own, and ends it only when it ends in order
	sluggish = "sluggish" // it says that it is ready three seconds before it is
)

// work is the life of a worker. It ends with its standard input, whatever it is doing then; on SIGTERM it first
// finishes the task that it runs.
func work(traits []string) {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	var child *exec.Cmd
	if slices.Contains(traits, begetter) {
		child = exec.Command("sleep", "600")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		_ = child.Start()
	}
	end := func(code int) {
		if child != nil {
			_ = child.Process.Kill()
			_ = child.Wait()
		}
		os.Exit(code)
	}
	jobs := make(chan job)
	go func() {
		for in := json.NewDecoder(os.Stdin); ; {
			var j job
			if err := in.Decode(&j); err != nil {
				if slices.Contains(traits, staying) {
					select {}
				}
				end(0)
			}
			jobs <- j
		}
	}()
	out := json.NewEncoder(os.Stdout)
	var saying sync.Mutex
	_ = out.Encode(reply{})
	if slices.Contains(traits, sluggish) {
		time.Sleep(3 * time.Second)
	}
	for {
		select {
		case <-term:
			end(0)
		case j := <-jobs:
			do := func() {
				say := func(r reply) {
					saying.Lock()
					defer saying.Unlock()
					_ = out.Encode(r)
				}
				if j.Tells {
					say(reply{Task: j.Task, Begins: true})
				}
				say(reply{Task: j.Task, Value: j.run(cmp.Or(j.As, os.Getpid()))})
			}
			if j.Aside {
				go do()
			} else {
				do()
			}
		}
		select {
		case <-term: // before the next task, if both are there
			end(0)
		default:
		}
	}
}

// run executes the job in this process, and records that pid did.
func (j job) run(pid int) int64 {
	for range 1 + j.Extra {
		began := monotonic()
		j.record(fmt.Sprintf("S %d 0 %d %d", j.Task, pid, began))
		letGo := j.wait()
		time.Sleep(j.length())
		letGo()
		j.record(fmt.Sprintf("E %d 0 %d %d %d", j.Task, pid, began, monotonic()))
	}
	return j.N * j.N
}

// wait takes the lock that the job is behind.
func (j job) wait() (letGo func()) {
	if j.Behind == 0 {
		return func() {}
	}
	f, err := os.OpenFile(fmt.Sprintf("%s.lock%d", j.Witness, j.Behind), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return func() { _ = f.Close() }
}

// record appends a line to the file of witnesses, in one write.
func (j job) record(line string) {
	if j.Witness == "" {
		return
	}
	f, err := os.OpenFile(j.Witness, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer f.Close()
	if _, err := f.WriteString("\n" + line + "\n"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// monotonic is CLOCK_MONOTONIC in nanoseconds.
func monotonic() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return t.Nano()
}
