//go:build ignore

// Command go_plugin drives hashicorp/go-plugin, by the driver protocol of docs/drivers.md: as many plugins as there are
// to be workers, each a process of this same program, which take turns. A plugin that has died stays so: the library
// has neither an event for its end nor a way to start it again, so that each call that is its turn fails.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"golang.org/x/sys/unix"
)

var handshake = plugin.HandshakeConfig{
	ProtocolVersion: 1, MagicCookieKey: "RESPAWN_GOPLUGIN", MagicCookieValue: "worker",
}

func main() {
	if os.Getenv(handshake.MagicCookieKey) == handshake.MagicCookieValue {
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig: handshake, Plugins: plugin.PluginSet{"worker": tasks{}}, Logger: hclog.NewNullLogger(),
		})
		return
	}
	out, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err == nil {
		err = unix.Dup3(2, 1, 0) // a stray print is no line of the protocol
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	(&driver{out: json.NewEncoder(os.NewFile(uintptr(out), "protocol"))}).serve(os.Stdin)
}

// Call is one task, as net/rpc wants it: exported.
type Call struct {
	ID   int64
	Task string
	N    int64
	MS   int64
}

// tasks is the plugin.
type tasks struct{}

func (tasks) Server(*plugin.MuxBroker) (any, error)                  { return worker{}, nil }
func (tasks) Client(_ *plugin.MuxBroker, c *rpc.Client) (any, error) { return c, nil }

// worker is what runs in the plugin's process.
type worker struct{}

// Run runs one task.
func (worker) Run(c Call, value *int64) error {
	began := now()
	witness(fmt.Sprintf("S %d 0 %d %d", c.ID, os.Getpid(), began))
	switch c.Task {
	case "sleep":
		time.Sleep(time.Duration(c.MS) * time.Millisecond)
	case "square":
	default:
		return fmt.Errorf("unknown task %q", c.Task)
	}
	witness(fmt.Sprintf("E %d 0 %d %d %d", c.ID, os.Getpid(), began, now()))
	*value = c.N * c.N
	return nil
}

func now() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return t.Nano()
}

// witness appends a line to the file of witnesses, in one write.
func witness(line string) {
	f, err := os.OpenFile(os.Getenv("RESPAWN_WITNESS"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteString("\n" + line + "\n")
}

type driver struct {
	mu      sync.Mutex
	out     *json.Encoder
	plugins []*member
	turn    int
}

// member is one plugin.
type member struct {
	sync.Mutex // of whom runs a task
	client     *plugin.Client
	rpc        *rpc.Client
	pid        int
}

type request struct {
	Op      string          `json:"op"`
	Size    int             `json:"size"`
	Witness string          `json:"witness"`
	ID      int64           `json:"id"`
	Task    string          `json:"task"`
	Arg     json.RawMessage `json:"arg"`
}

type object = map[string]any

func (d *driver) serve(in io.Reader) {
	for lines := bufio.NewReader(in); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			d.stop()
			return
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			d.say(object{"op": "error", "error": err.Error()})
			continue
		}
		switch r.Op {
		case "hello":
			d.say(object{
				"op": "hello", "protocol": 1, "name": "hashicorp/go-plugin", "version": version(),
				"can": []string{"workers", "pid", "witness"},
			})
		case "start":
			if err := d.start(r); err != nil {
				d.say(object{"op": "error", "error": err.Error()})
				continue
			}
			d.say(object{"op": "ready", "pids": d.pids()})
		case "submit":
			m := d.plugins[d.turn%len(d.plugins)]
			d.turn++
			go d.run(m, r)
		case "workers":
			d.say(object{"op": "workers", "pids": d.pids()})
		case "stop":
			d.stop()
			d.say(object{"op": "stopped"})
			return
		default:
			d.say(object{"op": "error", "error": "unknown op " + r.Op})
		}
	}
}

func (d *driver) say(line object) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.out.Encode(line)
}

func (d *driver) start(r request) error {
	for range r.Size {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), "RESPAWN_WITNESS="+r.Witness)
		c := plugin.NewClient(&plugin.ClientConfig{
			HandshakeConfig: handshake, Plugins: plugin.PluginSet{"worker": tasks{}}, Cmd: cmd,
			Logger: hclog.NewNullLogger(),
		})
		protocol, err := c.Client()
		if err != nil {
			return err
		}
		raw, err := protocol.Dispense("worker")
		if err != nil {
			return err
		}
		d.plugins = append(d.plugins, &member{client: c, rpc: raw.(*rpc.Client), pid: cmd.Process.Pid})
	}
	return nil
}

// run has one plugin run one task; it runs one at a time.
func (d *driver) run(m *member, r request) {
	var arg struct{ N, MS int64 }
	var value int64
	err := json.Unmarshal(r.Arg, &arg)
	if err == nil {
		m.Lock()
		err = m.rpc.Call("Plugin.Run", Call{r.ID, r.Task, arg.N, arg.MS}, &value)
		m.Unlock()
	}
	if err != nil {
		d.say(object{"op": "error", "id": r.ID, "error": fmt.Sprintf("%T: %v", err, err)})
		return
	}
	d.say(object{"op": "result", "id": r.ID, "value": value, "pid": m.pid})
}

// pids are those of the plugins that the library takes to be there.
func (d *driver) pids() []int {
	pids := []int{}
	for _, m := range d.plugins {
		if !m.client.Exited() {
			pids = append(pids, m.pid)
		}
	}
	return pids
}

// stop ends all plugins, by force those that do not end.
func (d *driver) stop() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var all sync.WaitGroup
		for _, m := range d.plugins {
			all.Go(m.client.Kill)
		}
		all.Wait()
	}()
	select {
	case <-done:
	case <-time.After(3 * time.Second):
		for _, m := range d.plugins {
			if !m.client.Exited() {
				_ = syscall.Kill(m.pid, syscall.SIGKILL)
			}
		}
	}
}

// version is the library's, as it was built in.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/hashicorp/go-plugin" {
				return dep.Version[1:]
			}
		}
	}
	return ""
}
