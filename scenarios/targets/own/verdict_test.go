package own

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/history"
)

// An answer that is not the task's own is wrong, whichever of its parts gives it away.
func TestWrongAnswersAreFoundOut(t *testing.T) {
	for name, c := range map[string]struct {
		task string
		w    work
		a    answer
		want history.Outcome
	}{
		"right square":         {"square", work{ID: 7}, answer{ID: 7, Value: 49}, history.OK},
		"wrong square":         {"square", work{ID: 7}, answer{ID: 7, Value: 50}, history.Wrong},
		"another task's":       {"square", work{ID: 7}, answer{ID: 8, Value: 49}, history.Wrong},
		"right hash":           {"hash", work{ID: 18, Rounds: 3}, answer{ID: 18, Value: hashChain(2, 3)}, history.OK},
		"hash of another":      {"hash", work{ID: 18, Rounds: 3}, answer{ID: 18, Value: hashChain(3, 3)}, history.Wrong},
		"hash with a round":    {"hash", work{ID: 18, Rounds: 3}, answer{ID: 18, Value: hashChain(2, 2)}, history.Wrong},
		"right primes":         {"primes", work{ID: 1, Below: 100}, answer{ID: 1, Value: 25}, history.OK},
		"wrong primes":         {"primes", work{ID: 1, Below: 100}, answer{ID: 1, Value: 24}, history.Wrong},
		"right echo":           {"echo", work{ID: 1, Payload: []byte("ab")}, answer{ID: 1, Payload: []byte("ab")}, history.OK},
		"echo without its end": {"echo", work{ID: 1, Payload: []byte("ab")}, answer{ID: 1, Payload: []byte("a")}, history.Wrong},
	} {
		s := verdict(t.Context(), builtins[c.task], &c.w, c.a, nil)
		NewWithT(t).Expect(s.Outcome).To(Equal(c.want), name)
	}
}

// The payloads of two tasks differ, so that a swapped one is found out.
func TestPatternsDiffer(t *testing.T) {
	g := NewWithT(t)
	g.Expect(pattern(1, 64)).NotTo(Equal(pattern(2, 64)))
	g.Expect(pattern(1, 64)).To(Equal(pattern(1, 64)))
	g.Expect(pattern(1, 0)).To(BeEmpty())
}
