package scenarios_test

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/scenarios"
)

const replayed = `name: again
target:
  pool: {size: 2}
chaos:
  - fault: {signal: KILL}
`

// recorded writes a history with those events, and closes it if it is to be whole.
func recorded(t *testing.T, h history.Header, whole bool, events ...history.Event) (path string) {
	t.Helper()
	g := NewWithT(t)
	path = filepath.Join(t.TempDir(), "history.jsonl")
	w, err := history.Create(path, h, history.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	for _, e := range events {
		g.Expect(w.Append(e)).To(Succeed())
	}
	g.Expect(w.Close(false)).To(Succeed())
	if !whole {
		text, err := os.ReadFile(path)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(os.WriteFile(path, text[:lastLine(text)], 0o600)).To(Succeed())
	}
	return path
}

// lastLine is where the last line begins.
func lastLine(text []byte) int {
	at := len(text) - 1
	for text[at-1] != '\n' {
		at--
	}
	return at
}

func TestOnlyAWholeTraceIsInjectedAgain(t *testing.T) {
	g := NewWithT(t)
	fault := history.Event{
		Fault: &history.Fault{N: 1, Op: history.Planned, Fault: "signal KILL", Victim: &history.Victim{}},
	}

	h := history.Header{Source: replayed, Seed: 7}
	missed := history.Event{Fault: &history.Fault{N: 2, Op: history.Planned, Fault: "signal KILL"}}

	r, err := scenarios.ReadReplay(recorded(t, h, true, fault, missed), scenarios.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Shots).To(HaveLen(1))
	g.Expect(r.Left).To(Equal(1))
	g.Expect(r.Seed).To(BeEquivalentTo(7))

	for path, why := range map[string]string{
		recorded(t, h, false, fault): "its run did not come to an end",
		recorded(t, h, true):         "has no planned fault: there is nothing to inject again",
		recorded(t, h, true, missed): "has no planned fault that found a victim: there is nothing to inject again",
		recorded(t, history.Header{Source: replayed, OwnTarget: true}, true,
			fault): "that test injects its faults again with: RESPAWN_REPLAY=",
	} {
		_, err = scenarios.ReadReplay(path, scenarios.Options{})
		g.Expect(err).To(MatchError(ContainSubstring(why)))
	}
}
