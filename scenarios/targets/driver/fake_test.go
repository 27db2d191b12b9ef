package driver_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

func TestMain(m *testing.M) {
	pool.Main()
	if len(os.Args) > 2 && os.Args[1] == "fake-driver" {
		fakeDriver(os.Args[2])
	}
	takes.SideBySide(4)
	os.Exit(m.Run())
}

// fake is the command of a driver that does one thing wrong, or none.
func fake(mode string) []string { return []string{os.Args[0], "fake-driver", mode} }

// fakeDriver is a driver whose pool is a few shells that square numbers.
type faker struct {
	mode    string
	mu      sync.Mutex
	workers []*fakeWorker
	broker  *fakeWorker // in the mode "brokers" and those that begin so
	next    int
}

// fakeWorker is one of them. It runs one task at a time.
type fakeWorker struct {
	*exec.Cmd
	mu    sync.Mutex
	tasks io.Writer
	out   *bufio.Reader
}

// squarer reads lines of how many seconds to wait and what to square.
const squarer = `while read s n; do [ $s = 0 ] || sleep $s; echo $((n * n)); done`

// square has a worker do a task.
func (w *fakeWorker) square(ms, n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.tasks, "%g %d\n", float64(ms)/1000, n)
	var square int
	fmt.Fscanln(w.out, &square)
	return square
}

func fakeDriver(mode string) {
	f := &faker{mode: mode}
	f.prelude()
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			f.endOfInput()
		}
		var r struct {
			Op   string
			Size int
			ID   uint64
			Task string
			Arg  struct {
				MS int
				N  any
			}
		}
		if err := json.Unmarshal(line, &r); err != nil {
			panic(err)
		}
		switch r.Op {
		case "hello":
			f.hello()
		case "start":
			f.start(r.Size)
		case "workers":
			f.listWorkers()
		case "members":
			f.listMembers()
		case "probe":
			f.say(`{"op":"result","id":%d,"value":true,"pid":%d}`, r.ID, f.broker.Process.Pid)
		case "harm": // a task that nobody dies of
			f.say(`{"op":"result","id":%d,"value":{"pids":"%d","given up":"it ended its worker"}}`,
				r.ID, f.workers[0].Process.Pid)
		case "submit":
			n, ok := r.Arg.N.(float64)
			if r.Task != "square" && r.Task != "sleep" || !ok {
				f.refuse(r.ID)
				continue
			}
			if mode == "serial" {
				f.run(r.ID, r.Task, r.Arg.MS, int(n))
			} else {
				go f.run(r.ID, r.Task, r.Arg.MS, int(n))
			}
		case "stop":
			f.stop()
		default:
			if mode != "deaf to unknown ops" {
				f.say(`{"op":"error","error":"unknown op"}`)
			}
		}
	}
}

func (f *faker) say(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Printf(format+"\n", args...)
}

func forever() { select {} }

// prelude is what goes wrong before the first request.
func (f *faker) prelude() {
	switch f.mode {
	case "not installed":
		f.say(`{"op":"error","error":"not installed: libpool","install":"apt-get install libpool"}`)
		os.Exit(0)
	case "never reads":
		go func() { <-time.After(time.Hour) }() // or the runtime calls it a deadlock
		forever()
	case "mute":
		os.Stdout.Close()
		forever()
	case "dies at once":
		fmt.Fprintln(os.Stderr, "no such library")
		os.Exit(3)
	}
}

func (f *faker) hello() {
	can := `["workers","pid"]`
	protocol := 1
	switch f.mode {
	case "never greets":
		return
	case "brokers", "brokers of no role", "brokers in one slot":
		protocol, can = 2, `["workers","pid","poison"]`
		f.broker = f.spawn()
	case "old":
		protocol = 0
	case "half a hello":
		f.say(`{"op":"hello","protocol":1}`)
		return
	case "keeps no record":
		can = `["workers","pid","witness"]`
	case "boasts":
		can = `["workers","pid","fly"]`
	case "least":
		can = `[]`
	case "rubbish":
		f.say("Loading libpool 1.0\x1b[31m...")
	case "two on a line":
		f.say(`{"op":"hello"} {"op":"hello"}`)
	case "long":
		f.say("%s", strings.Repeat("x", 3<<20))
	case "flood":
		go func() {
			for {
				f.say("spam")
			}
		}()
	case "endless line":
		spam := strings.Repeat("x", 1<<20)
		for {
			fmt.Print(spam)
		}
	}
	f.say(`{"op":"hello","protocol":%d,"name":"fake","version":"1.0","can":%s}`, protocol, can)
}

func (f *faker) start(size int) {
	switch f.mode {
	case "never ready":
		return
	case "cannot start":
		f.say(`{"op":"error","error":"no room"}`)
		return
	case "dies at start":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		forever()
	case "too few":
		size--
	}
	for range size {
		f.workers = append(f.workers, f.spawn())
	}
	f.say(`{"op":"ready","pids":%s}`, f.pids())
	if f.mode == "ready twice" {
		f.say(`{"op":"ready","pids":%s}`, f.pids())
	}
}

// spawn starts a worker. It ends when its standard input does, unless it is one that stays.
func (f *faker) spawn() *fakeWorker {
	c := exec.Command("sh", "-c", squarer)
	if f.mode == "abandons workers" || f.mode == "leaves children" {
		// whoever is at work when the driver ends would die of its answer, which nobody reads
		c = exec.Command("sh", "-c", "trap '' PIPE; "+squarer+"; exec sleep 3600")
	}
	if f.mode == "leaves children" {
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	c.Stderr = os.Stderr
	tasks, _ := c.StdinPipe()
	out, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		panic(err)
	}
	if f.mode == "dies with a worker" {
		go func() { _ = c.Wait(); panic("unhandled error of a worker") }()
	}
	return &fakeWorker{Cmd: c, tasks: tasks, out: bufio.NewReader(out)}
}

func (f *faker) pids() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var pids []int
	for _, w := range f.workers {
		pids = append(pids, w.Process.Pid)
	}
	switch f.mode {
	case "foreign pid":
		pids[0] = 1
	case "no pid":
		pids[0] = -1
	case "one pid twice":
		pids[0] = pids[1]
	}
	b, _ := json.Marshal(pids)
	return string(b)
}

func (f *faker) listWorkers() {
	switch f.mode {
	case "hides workers":
		return
	case "wrong type":
		f.say(`{"op":"workers","pids":"many"}`)
		return
	}
	f.say(`{"op":"workers","pids":%s}`, f.pids())
}

func (f *faker) listMembers() {
	role, slot := "broker", len(f.workers)
	switch f.mode {
	case "brokers of no role":
		role = "queen"
	case "brokers in one slot":
		slot = 0
	}
	var all []string
	for i, w := range f.workers {
		all = append(all, fmt.Sprintf(`{"pid":%d,"role":"node","slot":%d,"name":"node-%d"}`, w.Process.Pid, i, i+1))
	}
	all = append(all, fmt.Sprintf(`{"pid":%d,"role":"%s","slot":%d,"name":"broker-1","phase":"leader"}`,
		f.broker.Process.Pid, role, slot))
	f.say(`{"op":"members","members":[%s]}`, strings.Join(all, ","))
}

func (f *faker) refuse(id uint64) {
	switch f.mode {
	case "anonymous error":
		f.say(`{"op":"error","error":"no such task"}`)
	case "dies of a bad argument":
		f.mu.Lock()
		_ = f.workers[0].Process.Kill()
		_ = f.workers[0].Wait()
		f.workers[0] = f.spawn()
		f.mu.Unlock()
		f.say(`{"op":"error","id":%d,"error":"the worker died"}`, id)
	case "accepts anything":
		f.say(`{"op":"result","id":%d,"value":0,"pid":%d}`, id, f.workers[0].Process.Pid)
	default:
		f.say(`{"op":"error","id":%d,"error":"ValueError: cannot do that"}`, id)
	}
}

func (f *faker) run(id uint64, task string, ms, n int) {
	if task == "square" || f.mode == "sleepless" {
		ms = 0
	}
	f.mu.Lock()
	worker := f.workers[f.next%len(f.workers)]
	f.next++
	f.mu.Unlock()
	pid, square := worker.Process.Pid, n*n
	if f.mode == "runs tasks itself" {
		pid = os.Getpid()
	}
	if f.mode == "has no pool" || f.mode == "runs tasks itself" {
		<-time.After(time.Duration(ms) * time.Millisecond)
	} else {
		square = worker.square(ms, n)
	}
	result := fmt.Sprintf(`{"op":"result","id":%d,"value":%d,"pid":%d}`, id, square, pid)
	switch f.mode {
	case "wrong value":
		result = fmt.Sprintf(`{"op":"result","id":%d,"value":%d,"pid":%d}`, id, n*n+1, pid)
	case "no value":
		result = fmt.Sprintf(`{"op":"result","id":%d,"pid":%d}`, id, pid)
	case "own pid":
		result = fmt.Sprintf(`{"op":"result","id":%d,"value":%d,"pid":%d}`, id, n*n, os.Getpid())
	case "hangs":
		return
	case "unknown id":
		f.say(`{"op":"result","id":%d,"value":0,"pid":%d}`, id+1000000, pid)
	case "unknown op":
		f.say(`{"op":"progress","id":%d}`, id)
	case "answers twice":
		f.say("%s", result)
	case "dies":
		os.Exit(1)
	case "torn":
		f.mu.Lock()
		fmt.Print(result[:20])
		os.Exit(0)
	}
	f.say("%s", result)
}

func (f *faker) stop() {
	if f.mode == "never stops" {
		return
	}
	if f.mode != "ends without a word" {
		f.end()
		f.say(`{"op":"stopped"}`)
	}
	switch f.mode {
	case "lingers":
		forever()
	case "exit code":
		os.Exit(7)
	}
	os.Exit(0)
}

func (f *faker) endOfInput() {
	switch f.mode {
	case "ignores the end":
		forever()
	case "abandons workers":
	default:
		f.end()
	}
	os.Exit(0)
}

func (f *faker) end() {
	if f.mode == "leaves children" {
		return
	}
	all := f.workers
	if f.broker != nil {
		all = append(all, f.broker)
	}
	for _, w := range all {
		w.Process.Kill()
		w.Wait()
	}
}
