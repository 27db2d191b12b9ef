package calls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/units"
)

// Exec is a program that is run: a client of the target.
type Exec struct {
	Argv   []string   `yaml:"argv" doc:"The program and its arguments; never a shell."`
	Expect ExecExpect `yaml:"expect" doc:"What a right end is. Default: exit code 0."`
}

// ExecExpect is what a right end of a program is.
type ExecExpect struct {
	Code   units.Count `yaml:"code" doc:"Its exit code. Another one is a task that failed. Default 0."`
	Stdout string      `yaml:"stdout" doc:"A text that its standard output contains. Output without it is a wrong answer."`
}

func (e *Exec) check(fail func(key, format string, args ...any)) {
	if len(e.Argv) == 0 || e.Argv[0] == "" {
		fail("", "argv is missing: want the program and its arguments, such as [curl, -sf, \"http://127.0.0.1/\"]")
	}
	if e.Expect.Code > 255 {
		fail("expect.code", "%d is no exit code: want 0 to 255", e.Expect.Code)
	}
}

// maxOutput bounds what is kept of what a program says.
const maxOutput = 64 << 10

// Do implements Call.
func (e *Exec) Do(ctx context.Context) chaos.Settled {
	cmd := exec.CommandContext(ctx, e.Argv[0], e.Argv[1:]...)
	cmd.WaitDelay = time.Second // what it has started may hold its output
	out, errs := &head{}, &head{}
	cmd.Stdout, cmd.Stderr = out, errs
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return chaos.Settled{Outcome: history.Hung, Err: "it did not end"}
	case err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay):
		return chaos.Settled{Outcome: history.Rejected, Err: err.Error()}
	case cmd.ProcessState.ExitCode() != int(e.Expect.Code):
		words := strings.Join(strings.Fields(errs.String()+" "+out.String()), " ")
		return chaos.Settled{Outcome: history.Failed, Err: fmt.Sprintf("%s: %.200s", cmd.ProcessState, words)}
	case !strings.Contains(out.String(), e.Expect.Stdout):
		return chaos.Settled{Outcome: history.Wrong, Err: fmt.Sprintf("it said %.200q, want a text that contains %q",
			out.String(), e.Expect.Stdout)}
	}
	return chaos.Settled{Outcome: history.OK}
}

// head keeps the beginning of what is written to it.
type head struct{ bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	room := max(0, maxOutput-h.Len())
	_, _ = h.Buffer.Write(p[:min(room, len(p))])
	return len(p), nil
}
