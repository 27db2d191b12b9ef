package own

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/scenarios/targets/own/tasks"
)

// An answer that is not the task's own is wrong, whichever of its parts gives it away.
func TestWrongAnswersAreFoundOut(t *testing.T) {
	for name, c := range map[string]struct {
		task string
		w    tasks.Work
		a    tasks.Answer
		want history.Outcome
	}{
		"right square":   {"square", tasks.Work{ID: 7}, tasks.Answer{ID: 7, Value: 49}, history.OK},
		"wrong square":   {"square", tasks.Work{ID: 7}, tasks.Answer{ID: 7, Value: 50}, history.Wrong},
		"another task's": {"square", tasks.Work{ID: 7}, tasks.Answer{ID: 8, Value: 49}, history.Wrong},
		"right hash":     {"hash", tasks.Work{ID: 18, Rounds: 3}, tasks.Answer{ID: 18, Value: chain(2, 3)}, history.OK},
		"hash of another": {
			"hash",
			tasks.Work{ID: 18, Rounds: 3},
			tasks.Answer{ID: 18, Value: chain(3, 3)},
			history.Wrong,
		},
		"hash with a round": {
			"hash",
			tasks.Work{ID: 18, Rounds: 3},
			tasks.Answer{ID: 18, Value: chain(2, 2)},
			history.Wrong,
		},
		"right primes": {"primes", tasks.Work{ID: 1, Below: 100}, tasks.Answer{ID: 1, Value: 25}, history.OK},
		"wrong primes": {
			"primes",
			tasks.Work{ID: 1, Below: 100},
			tasks.Answer{ID: 1, Value: 24},
			history.Wrong,
		},
		"right echo": {
			"echo",
			tasks.Work{ID: 1, Payload: []byte("ab")},
			tasks.Answer{ID: 1, Payload: []byte("ab")},
			history.OK,
		},
		"echo without its end": {
			"echo",
			tasks.Work{ID: 1, Payload: []byte("ab")},
			tasks.Answer{ID: 1, Payload: []byte("a")},
			history.Wrong,
		},
	} {
		s := verdict(t.Context(), tasks.Builtins[c.task], &c.w, c.a, nil)
		NewWithT(t).Expect(s.Outcome).To(Equal(c.want), name)
	}
}

// chain is the value of the task hash.
func chain(seed uint64, rounds int) uint64 {
	sum := make([]byte, sha256.Size)
	binary.LittleEndian.PutUint64(sum, seed)
	for range rounds {
		next := sha256.Sum256(sum)
		sum = next[:]
	}
	return binary.LittleEndian.Uint64(sum)
}
