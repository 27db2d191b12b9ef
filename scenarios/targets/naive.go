package targets

import (
	"context"
	"encoding/json"
	"path/filepath"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/naive"
)

// Naive is the naive pool with the built-in tasks.
type Naive struct {
	*naive.Pool
	witness string
}

var (
	_ chaos.Target = (*Naive)(nil)
	_ chaos.Runner = (*Naive)(nil)
)

// init makes this program's naive workers serve, before main: a main that forgot the call would run itself over and over.
func init() { naive.Main(serveNaive) }

// StartNaive starts a naive pool with those bugs. dir holds the witnesses' file; the caller removes it after Close.
func StartNaive(size int, bugs []string, dir string) (*Naive, error) {
	list, err := naive.ParseBugs(bugs)
	if err != nil {
		return nil, err
	}
	n := &Naive{witness: filepath.Join(dir, "witness")}
	n.Pool, err = naive.New(size, list, checkNaive)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// Do implements chaos.Runner.
func (n *Naive) Do(ctx context.Context, t chaos.Task) chaos.Settled {
	w := work{ID: t.ID, Witness: n.witness}
	if err := w.take(t.Args); err != nil {
		return chaos.Settled{Outcome: history.Rejected, Err: err.Error()}
	}
	return n.Pool.Do(ctx, chaos.Task{ID: t.ID, Name: t.Name, Args: map[string]any{"work": w}})
}

// Witness is the file that the built-in tasks record their executions in: for chaos.Run.Witness.
func (n *Naive) Witness() string { return n.witness }

// serveNaive runs a built-in task in a naive worker.
func serveNaive(t chaos.Task, attempt int) (json.RawMessage, error) {
	w, err := workOf(t)
	if err != nil {
		return nil, err
	}
	end, err := testify(w.Witness, w.ID, attempt)
	if err != nil {
		return nil, err
	}
	defer func() { _ = end() }() // the judge misses what is not there
	value := w.ID * w.ID
	switch t.Name {
	case "hash":
		value = hashChain(w.ID%seeds, w.Rounds)
	case "primes":
		value = primesBelow(0, w.Below)
	case "alloc":
		block := touch(w.Bytes)
		if w.Keep {
			leaked = append(leaked, block)
		}
	}
	time.Sleep(w.Duration)
	return json.Marshal(value)
}

// checkNaive tells whether a naive worker's value is right.
func checkNaive(t chaos.Task, value json.RawMessage) bool {
	w, err := workOf(t)
	var got answer
	if err != nil || json.Unmarshal(value, &got.Value) != nil {
		return false
	}
	b, ok := builtins[t.Name]
	if !ok || b.prompt != nil { // echo: its payload does not travel
		return got.Value == w.ID*w.ID
	}
	return b.expect(&w, got)
}

// workOf is the task's argument, in the parent as it is or in the worker as JSON has left it.
func workOf(t chaos.Task) (w work, err error) {
	if w, ok := t.Args["work"].(work); ok {
		return w, nil
	}
	data, err := json.Marshal(t.Args["work"])
	if err != nil {
		return w, err
	}
	return w, json.Unmarshal(data, &w)
}
