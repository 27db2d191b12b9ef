package serve

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"sync/atomic"
)

// taskFunc decodes the argument, runs the handler and appends the encoded result to dst. A result that is bytes of the
// argument, which was lent, it gives back as part instead, not encoded and not copied. It must not keep arg or dst.
type taskFunc func(ctx context.Context, arg, dst []byte) (out, part []byte, err error)

// Registry is what this program registered. Parent and workers are the same program, so that a task's index means the
// same on both sides; the ready frame carries a hash by which the parent checks that.
var Registry tasks

type tasks struct {
	mu     sync.Mutex
	names  []string
	byName map[string]uint16 // the index of each
	funcs  []taskFunc
	inits  map[string]func(context.Context, []byte) error
	taken  map[string]bool
	frozen atomic.Bool // in a worker, from Main on
}

func (r *tasks) AddTask(name string, fn taskFunc) uint16 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claim("task", name)
	if len(r.names) > 0xffff {
		panic("pool: more than 65,536 registered tasks")
	}
	if r.byName == nil {
		r.byName = make(map[string]uint16)
	}
	index := uint16(len(r.names))
	r.names, r.funcs, r.byName[name] = append(r.names, name), append(r.funcs, fn), index
	return index
}

func (r *tasks) AddInit(name string, fn func(context.Context, []byte) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claim("initializer", name)
	if r.inits == nil {
		r.inits = make(map[string]func(context.Context, []byte) error)
	}
	r.inits[name] = fn
}

// claim panics on a name that cannot be registered: a mistake in the program, found at its start.
func (r *tasks) claim(kind, name string) {
	switch {
	case r.frozen.Load():
		panic(fmt.Sprintf("pool: %s %q registered after Main: register in package-level variables", kind, name))
	case name == "" || len(name) > 255:
		panic(fmt.Sprintf("pool: %s name %q: want 1 to 255 bytes", kind, name))
	case r.taken[kind+name]:
		panic(fmt.Sprintf("pool: %s %q registered twice", kind, name))
	}
	if r.taken == nil {
		r.taken = make(map[string]bool)
	}
	r.taken[kind+name] = true
}

// Index is the place of the task of that name.
func (r *tasks) Index(name string) (uint16, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, ok := r.byName[name]
	return i, ok
}

// Fingerprint hashes the names of the first n tasks.
func (r *tasks) Fingerprint(n int) (count int, hash uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n < 0 || n > len(r.names) {
		n = len(r.names)
	}
	h := fnv.New64a()
	for _, name := range r.names[:n] {
		h.Write([]byte(name))
		h.Write([]byte{0})
	}
	return n, h.Sum64()
}
