package check

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// tryWitness sends a task that says where to witness that it runs. One that does not is sound, but no scenario can
// judge it.
func (e *exam) tryWitness(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil {
		return err
	}
	path := filepath.Join(e.dir, "witness")
	const id, attempt = 3, 2
	s := h.send("respawn.sleep", frame{
		attempt: attempt,
		payload: fmt.Appendf(nil, `{"id": %d, "ns": %d, "witness": %q}`, id, time.Millisecond.Nanoseconds(), path),
	})[0]
	f, err := h.want(ctx, s, kindValue)
	if err != nil {
		return err
	}
	said, err := os.ReadFile(path)
	if err != nil {
		h.note("respawn.sleep witnesses nothing, so that no scenario of `respawn run` passes on it (docs/wire.md, %q)",
			ruleScenarios)
		return nil
	}
	told := fmt.Sprintf(`%d %d %d (\d+)`, id, attempt, h.program.PID())
	if !regexp.MustCompile(`^\n+S ` + told + `\n+E ` + told + ` \d+\n+$`).Match(said) {
		h.add(WrongWitness, f.n, ruleScenarios,
			"respawn.sleep wrote %.300q: want two lines, each with a line feed before and after it, "+
				"S %d %d %d TIME and E %[2]d %[3]d %[4]d TIME TIME", said, id, attempt, h.program.PID())
	}
	return nil
}
