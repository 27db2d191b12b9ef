//go:build ignore

// Command go_fleets drives job queues of Go for respawn matrix --family fleets, by the protocol of docs/drivers.md:
// asynq on a Redis, river on SQLite. Nodes are processes of this program with one worker each. It has requirements of
// its own (go_fleets.mod), so that nothing else needs what it drives.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// queue is what is driven.
type queue interface {
	prepare(dir string) error                        // at the driver: makes what nodes connect to
	submit(j job) (name string, err error)           // at the driver
	look(names []string) (map[string]outcome, error) // those that have settled
	serve(run func(context.Context, job) (value, error), ready func()) error
}

type job struct {
	ID   uint64 `json:"id"`
	Task string `json:"task"`
	N    int    `json:"n"`
	MS   int    `json:"ms"`
}

type value struct {
	Value int `json:"value"`
	PID   int `json:"pid"`
}

type outcome struct {
	value
	err string
}

var queues = map[string]func(address string) queue{
	"asynq":         func(a string) queue { return &asynqQueue{address: a} },
	"river":         func(a string) queue { return &riverQueue{address: a} },
	"river-careful": func(a string) queue { return &riverQueue{address: a, careful: true} },
}

var modules = map[string]string{
	"asynq": "github.com/hibiken/asynq", "river": "github.com/riverqueue/river",
	"river-careful": "github.com/riverqueue/river",
}

func main() {
	if len(os.Args) < 2 || queues[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "want asynq, river or river-careful")
		os.Exit(2)
	}
	var err error
	if len(os.Args) == 5 { // node ADDRESS WITNESS
		err = node(queues[os.Args[1]](os.Args[3]), os.Args[4])
	} else {
		err = (&driver{name: os.Args[1], there: map[int]int{}, open: map[string]uint64{}}).run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func node(q queue, witness string) error {
	return q.serve(func(ctx context.Context, j job) (value, error) {
		began := monotonic()
		if err := record(witness, "\nS %d 0 %d %d\n", j.ID, os.Getpid(), began); err != nil {
			return value{}, err
		}
		select {
		case <-time.After(time.Duration(j.MS) * time.Millisecond):
		case <-ctx.Done():
			return value{}, ctx.Err()
		}
		return value{j.N * j.N, os.Getpid()}, record(witness, "\nE %d 0 %d %d %d\n", j.ID, os.Getpid(), began,
			monotonic())
	}, func() { fmt.Println("ready") })
}

func monotonic() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // never fails
	return t.Nano()
}

func record(path, format string, args ...any) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, format, args...)
	return errors.Join(err, f.Close())
}

// driver speaks the protocol.
type driver struct {
	name, witness, dir string
	out                *os.File
	q                  queue

	mu      sync.Mutex
	there   map[int]int // the nodes that are ready, by their slots
	open    map[string]uint64
	closing bool
}

type fields map[string]any

func (d *driver) say(f fields) {
	line, _ := json.Marshal(f) // texts and numbers
	d.mu.Lock()
	defer d.mu.Unlock()
	_, _ = d.out.Write(append(line, '\n'))
}

func (d *driver) run() (err error) {
	d.out, os.Stdout = os.Stdout, os.Stderr
	defer func() {
		d.mu.Lock()
		d.closing = true
		d.mu.Unlock()
		if d.dir != "" {
			err = errors.Join(err, os.RemoveAll(d.dir))
		}
	}()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r struct {
			Op       string
			Protocol int
			Size     int
			Witness  string
			ID       uint64
			Task     string
			Arg      json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			d.say(fields{"op": "error", "error": err.Error()})
			continue
		}
		switch r.Op {
		case "hello":
			d.say(fields{
				"op": "hello", "protocol": 1, "name": d.name, "version": version(modules[d.name]),
				"can": []string{"workers", "pid", "witness"},
			})
		case "start":
			d.witness = r.Witness
			if err := d.start(r.Size); err != nil {
				d.say(fields{"op": "error", "error": err.Error()})
				continue
			}
			d.say(fields{"op": "ready", "pids": d.pids()})
		case "workers":
			d.say(fields{"op": "workers", "pids": d.pids()})
		case "submit":
			j := job{ID: r.ID, Task: r.Task}
			err := json.Unmarshal(r.Arg, &j)
			if err == nil {
				err = d.submit(j)
			}
			if err != nil {
				d.say(fields{"op": "error", "id": r.ID, "error": err.Error()})
			}
		case "stop":
			d.mu.Lock()
			d.closing = true
			d.mu.Unlock()
			d.endAll()
			d.say(fields{"op": "stopped"})
			return nil
		default:
			d.say(fields{"op": "error", "error": fmt.Sprintf("unknown op %q", r.Op)})
		}
	}
	d.endAll()
	return nil
}

func (d *driver) submit(j job) error {
	if j.Task != "square" && j.Task != "sleep" {
		return fmt.Errorf("unknown task %q", j.Task)
	}
	if j.Task == "square" {
		j.MS = 0
	}
	name, err := d.q.submit(j)
	if err == nil {
		d.mu.Lock()
		d.open[name] = j.ID
		d.mu.Unlock()
	}
	return err
}

func (d *driver) start(size int) (err error) {
	if d.q != nil || size < 1 {
		return errors.New("start: want it once, with a size of at least 1")
	}
	if d.dir, err = os.MkdirTemp(filepath.Dir(d.witness), "queue-"); err != nil {
		return err
	}
	d.q = queues[d.name](filepath.Join(d.dir, "queue"))
	if err = d.q.prepare(d.dir); err != nil {
		return err
	}
	for i := range size {
		go d.keep(i)
	}
	for len(d.pids()) < size {
		time.Sleep(10 * time.Millisecond)
	}
	go d.watch()
	return nil
}

// keep starts a node again when it ends.
func (d *driver) keep(slot int) {
	pause := 100 * time.Millisecond
	for {
		d.mu.Lock()
		if d.closing {
			d.mu.Unlock()
			return
		}
		cmd := exec.Command(os.Args[0], d.name, "node", filepath.Join(d.dir, "queue"), d.witness)
		cmd.Stderr = os.Stderr
		said, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		d.mu.Unlock()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		began := time.Now()
		if bufio.NewScanner(said).Scan() {
			d.mu.Lock()
			d.there[slot] = cmd.Process.Pid
			d.mu.Unlock()
		}
		_ = cmd.Wait() // it was killed
		d.mu.Lock()
		delete(d.there, slot)
		d.mu.Unlock()
		if pause = min(2*pause, 5*time.Second); time.Since(began) > 10*time.Second {
			pause = 100 * time.Millisecond
		}
		time.Sleep(pause)
	}
}

func (d *driver) pids() []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []int{}
	for _, pid := range d.there {
		list = append(list, pid)
	}
	return list
}

func (d *driver) endAll() {
	for {
		pids := d.pids()
		if len(pids) == 0 {
			break
		}
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if e, ok := d.q.(interface{ end() }); ok {
		e.end()
	}
}

// watch tells what has settled.
func (d *driver) watch() {
	for {
		time.Sleep(10 * time.Millisecond)
		d.mu.Lock()
		var names []string
		for name := range d.open {
			names = append(names, name)
		}
		d.mu.Unlock()
		settled, err := d.q.look(names)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		for name, o := range settled {
			d.mu.Lock()
			id := d.open[name]
			delete(d.open, name)
			d.mu.Unlock()
			if o.err != "" {
				d.say(fields{"op": "error", "id": id, "error": o.err})
			} else {
				d.say(fields{"op": "result", "id": id, "value": o.Value, "pid": o.PID})
			}
		}
	}
}

func version(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == module {
				return m.Version
			}
		}
	}
	return ""
}
