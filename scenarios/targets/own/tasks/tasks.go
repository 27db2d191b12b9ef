// Package tasks is what workers of the harness run, in this program or in another language. It imports as little as may
// be, since everything here is initialised before a worker of this program is up.
package tasks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"github.com/respawn-go/respawn/chaos/witness"
	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/pool"
)

// Work is the argument of every built-in task. Each takes some of the fields.
type Work struct {
	ID       uint64        `cbor:"1,keyasint" json:"id"`
	Witness  string        `cbor:"2,keyasint,omitempty" json:"witness,omitempty"` // the file to record the execution in
	Duration time.Duration `cbor:"3,keyasint,omitempty" json:"ns,omitempty"`
	Rounds   int           `cbor:"4,keyasint,omitempty" json:"rounds,omitempty"`
	Below    int           `cbor:"5,keyasint,omitempty" json:"below,omitempty"`
	Bytes    int64         `cbor:"6,keyasint,omitempty" json:"bytes,omitempty"`
	Keep     bool          `cbor:"7,keyasint,omitempty" json:"keep,omitempty"`
	Payload  []byte        `cbor:"8,keyasint,omitempty" json:"payload,omitempty"`
}

// Take sets the arguments of a scenario.
func (w *Work) Take(args map[string]any) error {
	for name, value := range args {
		ok := false
		switch name {
		case "duration":
			w.Duration, ok = value.(time.Duration)
		case "rounds":
			w.Rounds, ok = value.(int)
		case "below":
			w.Below, ok = value.(int)
		case "bytes":
			w.Bytes, ok = value.(int64)
		case "keep":
			w.Keep, ok = value.(bool)
		}
		if !ok {
			return fmt.Errorf(
				"argument %s is a %T: want a duration, or rounds and below as int, bytes as int64, keep as bool",
				name, value)
		}
	}
	return nil
}

// Answer is what every built-in task returns. It names its task, so that an answer to another one is found out.
type Answer struct {
	ID      uint64 `cbor:"1,keyasint" json:"id"`
	PID     int    `cbor:"2,keyasint" json:"pid"`
	Value   uint64 `cbor:"3,keyasint" json:"value,string"` // some languages have no integers of 64 bits
	Payload []byte `cbor:"4,keyasint,omitempty" json:"payload,omitempty"`
}

// Builtin is one task: what workers compute, and what the answer must be.
type Builtin struct {
	Task   pool.Task[Work, Answer]
	Prompt func(w *Work)                       // completes the argument in the parent; may be nil
	Expect func(w *Work, got Answer) (ok bool) // checks the value
}

// Builtins are the verifiable tasks by name.
var Builtins = map[string]Builtin{
	"sleep": {Task: register("sleep", func(ctx context.Context, w Work) (Answer, error) {
		return Answer{Value: w.ID * w.ID}, wait.For(ctx, w.Duration)
	}), Expect: squared},
	"square": {Task: register("square", func(_ context.Context, w Work) (Answer, error) {
		return Answer{Value: w.ID * w.ID}, nil
	}), Expect: squared},
	"hash": {Task: register("hash", func(_ context.Context, w Work) (Answer, error) {
		return Answer{Value: hashChain(w.ID%seeds, w.Rounds)}, nil
	}), Expect: func(w *Work, got Answer) bool { return got.Value == rightHash(w.ID%seeds, w.Rounds) }},
	"primes": {Task: register("primes", func(_ context.Context, w Work) (Answer, error) {
		return Answer{Value: primesBelow(0, w.Below)}, nil
	}), Expect: func(w *Work, got Answer) bool { return got.Value == rightPrimes(0, w.Below) }},
	"echo": {
		Task: register("echo", func(_ context.Context, w Work) (Answer, error) {
			return Answer{Payload: w.Payload}, nil
		}),
		Prompt: func(w *Work) { w.Payload = pattern(w.ID, int(w.Bytes)) },
		Expect: func(w *Work, got Answer) bool { return bytes.Equal(got.Payload, w.Payload) },
	},
	"alloc": {Task: register("alloc", func(ctx context.Context, w Work) (Answer, error) {
		block := touch(w.Bytes)
		if w.Keep {
			leaked = append(leaked, block)
		}
		return Answer{Value: w.ID * w.ID}, wait.For(ctx, w.Duration)
	}), Expect: squared},
}

// seeds bounds the different hash chains, so that the parent computes each only once.
const seeds = 16

var leaked [][]byte // by alloc with keep, in a worker

// probe answers with its process's pid and the square of its argument.
var probe = pool.Register("respawn.probe", func(_ context.Context, n uint64) (Answer, error) {
	return Answer{PID: os.Getpid(), Value: n * n}, nil
})

// register names a built-in task, which records its execution with the witness.
func register(name string, run func(context.Context, Work) (Answer, error)) pool.Task[Work, Answer] {
	return pool.Register("respawn."+name, func(ctx context.Context, w Work) (Answer, error) {
		end, err := testify(w.Witness, w.ID, pool.Attempt(ctx))
		if err != nil {
			return Answer{}, err
		}
		a, err := run(ctx, w)
		a.ID, a.PID = w.ID, os.Getpid()
		return a, errors.Join(err, end())
	})
}

// record is the witness that this worker writes to.
var record struct {
	sync.Mutex
	path string
	file *witness.File
}

// testify records the beginning of an execution and returns what records its end. Without a path it does nothing.
func testify(path string, task uint64, attempt int) (end func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	record.Lock()
	defer record.Unlock()
	if record.path != path {
		if record.file != nil {
			_ = record.file.Close()
		}
		if record.file, err = witness.Open(path); err != nil {
			record.file, record.path = nil, ""
			return nil, err
		}
		record.path = path
	}
	return record.file.Start(task, attempt)
}

func squared(w *Work, got Answer) bool { return got.Value == w.ID*w.ID }

// hashChain is the first eight bytes of SHA-256 applied so often to the seed.
func hashChain(seed uint64, rounds int) uint64 {
	var sum [sha256.Size]byte
	binary.LittleEndian.PutUint64(sum[:], seed)
	for range rounds {
		sum = sha256.Sum256(sum[:])
	}
	return binary.LittleEndian.Uint64(sum[:])
}

// primesBelow counts the primes below n by the sieve of Eratosthenes.
func primesBelow(_ uint64, n int) (count uint64) {
	composite := make([]bool, max(n, 0))
	root := int(math.Sqrt(float64(max(n, 0))))
	for i := 2; i < n; i++ {
		if composite[i] {
			continue
		}
		count++
		for j := i * i; i <= root && j < n; j += i {
			composite[j] = true
		}
	}
	return count
}

// pattern is n bytes that depend on the seed.
func pattern(seed uint64, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(seed>>(i%8*8)) ^ byte(i)
	}
	return b
}

// touch allocates n bytes and writes to every page of them.
func touch(n int64) []byte {
	b := make([]byte, n)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	return b
}

// remembered makes compute remember its values: the parent would otherwise be as busy with checking as the workers.
func remembered(compute func(uint64, int) uint64) func(uint64, int) uint64 {
	var known sync.Map
	return func(seed uint64, n int) uint64 {
		key := [2]uint64{seed, uint64(n)}
		v, ok := known.Load(key)
		if !ok {
			v, _ = known.LoadOrStore(key, compute(seed, n))
		}
		return v.(uint64) //nolint:forcetypeassert // only uint64s are stored
	}
}

var rightHash, rightPrimes = remembered(hashChain), remembered(primesBelow)
