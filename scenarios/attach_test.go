package scenarios_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/scenarios"
)

func TestMistakesInWhatIsAttachedToAreNamed(t *testing.T) {
	const good = `
name: x
target: {attach: {pid: 4711, name: nginx}}
chaos: [{fault: {signal: KILL}}]
`
	s, err := scenarios.Parse("x.yaml", []byte(good), scenarios.Options{})
	g := NewWithT(t)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.LeastAlive()).To(Equal(1))
	s, err = scenarios.Parse("x.yaml", []byte(good+"min_alive: 0\n"), scenarios.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.LeastAlive()).To(Equal(0))
	for name, c := range map[string]struct{ from, to, want string }{
		"nothing": {
			"pid: 4711, name: nginx", "owner: root",
			"nothing says which processes: want one of pid, pidfile, port, cgroup, unit, container, or name and owner",
		},
		"two ways": {"name: nginx", "port: 80", "x.yaml:3:36: pid and port contradict each other: want one"},
		"init":     {"4711", "1", "process 1 is never a target"},
		"no name": {", name: nginx", "", "x.yaml:3:24: a number may pass to another process: say which program " +
			"it is, with name (ps -o comm= -p 4711)"},
		"no owner":    {"pid: 4711, ", "", "a name may be anybody's: say whose it is, with owner"},
		"no port":     {"pid: 4711, name: nginx", "port: 70000", "70000 is no port: want 1 to 65535"},
		"exhaustion":  {"{signal: KILL}", "{cpu: 5%}", "cpu"},
		"its parent":  {"{signal: KILL}", "{supervisor: KILL}", "supervisor"},
		"its end":     {"{signal: KILL}", "{close: 1s}", "close"},
		"memory":      {"{signal: KILL}", "{memory: {of: 50%}}", "memory"},
		"descriptors": {"{signal: KILL}", "{fds: {}}", "fds"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := scenarios.Parse("x.yaml", []byte(strings.Replace(good, c.from, c.to, 1)), scenarios.Options{})
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(c.want)))
		})
	}
}
