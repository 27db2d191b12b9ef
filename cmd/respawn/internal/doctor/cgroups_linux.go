package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/respawn-go/respawn/internal/cgroup"
)

// cgroups makes a group with each controller, as the pool and the faults do.
func cgroups(context.Context) (checks []Check) {
	for _, c := range []struct {
		controller cgroup.Controller
		use        string
	}{
		{cgroup.Memory, "hard memory limits per worker, and the kernel's own OOM kill as a fault"},
		{cgroup.CPU, "the cpu fault (throttling one worker)"},
		{cgroup.Pids, "the pids fault (no more processes for one worker)"},
	} {
		name := string(c.controller) + " cgroup"
		g, err := cgroup.Create("doctor", c.controller)
		if err != nil {
			var u *cgroup.UnsupportedError
			remedy := "run as root, or in a delegated cgroup (systemd-run --user -p Delegate=yes)"
			if errors.As(err, &u) {
				remedy, err = u.Remedy, errors.New(u.Reason)
			}
			checks = append(checks, found(name, c.use, remedy, err, ""))
			continue
		}
		detail := fmt.Sprintf("version %d, groups can be made in %s", g.Version(c.controller),
			parent(g.Dir(c.controller)))
		checks = append(checks, found(name, c.use, "", nil, "%s", detail))
		_ = g.Remove()
	}
	return checks
}
