//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// message is a line, of either side.
type message struct {
	Op       string   `json:"op"`
	Protocol int      `json:"protocol,omitempty"`
	Name     string   `json:"name,omitempty"`
	Version  string   `json:"version,omitempty"`
	Can      []string `json:"can,omitempty"`
	Size     int      `json:"size,omitempty"`
	Witness  string   `json:"witness,omitempty"`
	ID       *uint64  `json:"id,omitempty"`
	Task     string   `json:"task,omitempty"`
	Arg      *arg     `json:"arg,omitempty"`
	PIDs     []int    `json:"pids,omitzero"`
	Value    *int64   `json:"value,omitempty"`
	PID      int      `json:"pid,omitempty"`
	Error    string   `json:"error,omitempty"`
}

type arg struct {
	N  *int64 `json:"n"`
	MS int64  `json:"ms"`
}

// probeLength is how long the harness's own probes sleep (docs/drivers.md). Their numbers tell nothing.
const probeLength = 20

// converse is the driver's side of the conversation, with those switches on. It ends the process.
func converse(words []string) {
	say := speaker()
	p := newPool(say)
	if err := p.bend(words); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	go p.loop()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			say(message{Op: "error", ID: m.ID, Error: "TypeError: " + err.Error()})
			continue
		}
		p.serve(m)
	}
	p.finish() // the harness is gone
	os.Exit(0)
}

// speaker makes a function that writes whole lines to what was descriptor 1, which is standard error from now on.
func speaker() func(message) {
	fd, err := syscall.Dup(1)
	if err != nil {
		panic(err)
	}
	syscall.CloseOnExec(fd)
	if err := syscall.Dup3(2, 1, 0); err != nil {
		panic(err)
	}
	out := json.NewEncoder(os.NewFile(uintptr(fd), "protocol"))
	var mu sync.Mutex
	return func(m message) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(m)
	}
}

// serve answers one request.
func (p *pool) serve(m message) {
	switch m.Op {
	case "hello":
		p.say(message{Op: "hello", Protocol: 1, Name: "brokenpool", Version: p.version(), Can: p.can})
	case "start":
		p.do(func() { p.witness = m.Witness; p.boot(m.Size) })
		for !p.up() {
			time.Sleep(time.Millisecond)
		}
		p.do(func() { p.say(message{Op: "ready", PIDs: p.list()}) })
	case "submit":
		p.submit(m)
	case "workers":
		p.do(func() { p.say(message{Op: "workers", PIDs: p.list()}) })
	case "stop":
		p.finish()
		p.say(message{Op: "stopped"})
		os.Exit(0)
	default:
		p.say(message{Op: "error", Error: fmt.Sprintf("ValueError: unknown op %q", m.Op)})
	}
}

// submit takes a task.
func (p *pool) submit(m message) {
	if m.ID == nil || m.Arg == nil || m.Arg.N == nil || m.Task != "square" && m.Task != "sleep" {
		p.say(message{Op: "error", ID: m.ID, Error: "ValueError: want square of n, or sleep for ms and square of n"})
		return
	}
	t := &task{job: job{Task: *m.ID, N: *m.Arg.N, MS: m.Arg.MS}, probe: m.Arg.MS == probeLength}
	p.do(func() { t.Witness = p.witness; p.admit(t) })
}

// up asks the owner whether every slot has a worker.
func (p *pool) up() bool {
	whole := make(chan bool, 1)
	p.do(func() { whole <- p.whole() })
	return <-whole
}

// finish ends the pool.
func (p *pool) finish() {
	done := make(chan struct{})
	p.do(func() { p.stop(); close(done) })
	<-done
}
