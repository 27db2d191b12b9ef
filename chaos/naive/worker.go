package naive

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/respawn-go/respawn/chaos"
)

// envWorker marks a worker process.
const envWorker = "RESPAWN_NAIVE"

// Runs executes one built-in task in a worker: it witnesses the execution and returns the value as JSON.
type Runs func(t chaos.Task, attempt int) (value json.RawMessage, err error)

// request and reply are one line each on a worker's stdin and stdout.
type request struct {
	Task    chaos.Task `json:"task"`
	Attempt int        `json:"attempt"`
}

type reply struct {
	Value json.RawMessage `json:"value,omitempty"`
	Err   string          `json:"err,omitempty"`
}

// Main serves tasks in a worker process and never returns; elsewhere it does nothing. It belongs next to pool.Main.
func Main(runs Runs) {
	if os.Getenv(envWorker) == "" {
		return
	}
	if os.Getenv(envWorker) == string(Orphans) {
		left := exec.Command("sleep", "600")
		left.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		_ = left.Start()
	}
	os.Unsetenv(envWorker)
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	_ = out.Encode(reply{}) // ready
	for {
		var q request
		if err := in.Decode(&q); err != nil {
			os.Exit(0) // the pool has closed the pipe, or is gone
		}
		value, err := runs(q.Task, q.Attempt)
		r := reply{Value: value}
		if err != nil {
			r.Err = err.Error()
		}
		_ = out.Encode(r)
	}
}

// process is a worker as the pool sees it.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
	enc *json.Encoder
}

// spawn starts a worker and waits until it is ready.
func spawn(marker string, orphans bool) (*process, error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"naive-worker"}
	role := "worker"
	if orphans {
		role = string(Orphans)
	}
	cmd.Env = append(os.Environ(), envWorker+"="+role, "RESPAWN_POOL="+marker)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, in: in, out: json.NewDecoder(out), enc: json.NewEncoder(in)}
	var ready reply
	if err := p.out.Decode(&ready); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("a worker did not come up: %w", err)
	}
	return p, nil
}

// call runs one task; an error means that the worker is dead.
func (p *process) call(t chaos.Task, attempt int) (reply, error) {
	var r reply
	if err := p.enc.Encode(request{t, attempt}); err != nil {
		return r, err
	}
	err := p.out.Decode(&r)
	return r, err
}
