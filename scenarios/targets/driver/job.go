package driver

import (
	"fmt"
	"hash/crc32"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/scenarios/targets/outside"
)

// job is what a task does.
type job struct {
	task  string
	ms    int64 // of a sleep
	bytes int64 // of an echo
}

// job is a built-in task as drivers know it.
func (d *Driver) job(t chaos.Task) (job, error) {
	if t.Name == "echo" && d.Can("echo") {
		bytes, _ := t.Args["bytes"].(int64)
		return job{task: t.Name, bytes: bytes}, nil
	}
	ms, err := outside.PlainTask("driver", t)
	return job{task: t.Name, ms: ms}, err
}

// submitJob sends a task.
func (d *Driver) submitJob(id uint64, j job) (*Future, error) {
	arg := map[string]any{"n": outside.Factor(id)}
	switch j.task {
	case "sleep":
		arg["ms"] = j.ms
	case "echo":
		arg["bytes"] = j.bytes
	}
	f, err := d.Submit(id, j.task, arg)
	if err == nil {
		f.job = j
	}
	return f, err
}

// right is the value of the task of that number.
func (j job) right(id uint64) string {
	if j.task == "echo" {
		return fmt.Sprint(crc32.ChecksumIEEE(payload(outside.Factor(id), j.bytes)))
	}
	return outside.Square(id)
}

// payload is what an echo of that number gives back: of two numbers, and at two places, it differs.
func payload(n int, bytes int64) []byte {
	p, x := make([]byte, bytes), uint32(n)
	for i := range p {
		x = x*1664525 + 1013904223
		p[i] = byte(x >> 24)
	}
	return p
}

// right tells whether a task that the target sent by itself has its value.
func (t *Target) right(f *Future, a Answer) error {
	if want := f.job.right(f.id); string(a.Value) != want {
		return t.driver.wrong(WrongValue, a.Line, "result", "%s for n = %d: want %s", quote(a.Value),
			outside.Factor(f.id), want)
	}
	return nil
}
