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
func recorded(t *testing.T, whole bool, events ...history.Event) (path string) {
	t.Helper()
	g := NewWithT(t)
	path = filepath.Join(t.TempDir(), "history.jsonl")
	w, err := history.Create(path, history.Header{Source: replayed, Seed: 7}, history.Options{})
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
	fault := history.Event{Fault: &history.Fault{N: 1, Op: "planned", Fault: "signal KILL", Victim: &history.Victim{}}}

	_, shots, seed, err := scenarios.ReadReplay(recorded(t, true, fault), scenarios.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(shots).To(HaveLen(1))
	g.Expect(seed).To(BeEquivalentTo(7))

	_, _, _, err = scenarios.ReadReplay(recorded(t, false, fault), scenarios.Options{})
	g.Expect(err).To(MatchError(history.ErrCutShort))
	_, _, _, err = scenarios.ReadReplay(recorded(t, true), scenarios.Options{})
	g.Expect(err).To(MatchError(HaveSuffix("has no planned fault: there is nothing to inject again")))
}
