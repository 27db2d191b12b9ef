package tasks

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/pool"
)

// Strain is the argument of the task stress: chaos.Stress.
type Strain struct {
	PID    int           `json:"pid"`
	Kind   string        `json:"kind"`
	Text   string        `json:"text"`
	Bytes  int64         `json:"bytes"`
	Count  int           `json:"count"`
	Hold   time.Duration `json:"ns"`
	Marker string        `json:"marker"` // what is written to stderr before what is fatal
}

// Strained is the answer of the task stress: chaos.Stressed.
type Strained struct {
	Text    string `json:"text"`
	Refused string `json:"refused,omitempty"`
	NotMe   bool   `json:"not_me,omitempty"` // the worker is not the victim, but its replacement
}

// stress makes a worker do harm to itself. It runs at most once: the replacement of a worker that died of it is left
// in peace.
var stress = pool.Register("respawn.stress", func(ctx context.Context, s Strain) (Strained, error) {
	if s.PID != 0 && s.PID != os.Getpid() {
		return Strained{NotMe: true}, nil
	}
	do, ok := strains[s.Kind]
	if !ok {
		return Strained{}, fmt.Errorf("stress of kind %q is not known", s.Kind)
	}
	return do(ctx, s)
})

// strains are the kinds of stress. What is fatal leaves a marker on stderr first, by which it is recognised.
var strains = map[string]func(context.Context, Strain) (Strained, error){
	"exit": func(_ context.Context, s Strain) (Strained, error) {
		fmt.Fprintln(os.Stderr, s.Marker)
		os.Exit(s.Count)
		return Strained{}, nil
	},
	"panic": func(ctx context.Context, s Strain) (Strained, error) {
		go panic(s.Marker) // outside the task's goroutine, so that nothing recovers it
		<-ctx.Done()
		return Strained{}, ctx.Err()
	},
	"alloc": strainAlloc,
	"fds":   strainFDs,
	"pids":  strainPIDs,
}

// poison ends every worker that runs it.
var poison = pool.Register("respawn.poison", func(_ context.Context, code int) (int, error) {
	fmt.Fprintln(os.Stderr, faults.Poison{Code: code}.Marker())
	os.Exit(code)
	return 0, nil
})
