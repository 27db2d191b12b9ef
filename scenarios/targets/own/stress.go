package own

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/pool"
)

// strain is the argument of the stress task: chaos.Stress.
type strain struct {
	PID     int           `json:"pid"`
	Kind    string        `json:"kind"`
	Text    string        `json:"text"`
	Bytes   int64         `json:"bytes"`
	Count   int           `json:"count"`
	Hold    time.Duration `json:"ns"`
	Confine bool          `json:"confine"`
	Marker  string        `json:"marker"` // what is written to stderr before what is fatal
}

// notMe is the answer of a worker that is not the victim: the victim's replacement.
const notMe = "not the victim"

// stressTask makes a worker do harm to itself. It runs at most once: the replacement of a worker that died of it is left
// in peace.
var stressTask = pool.Register("respawn.stress", func(ctx context.Context, s strain) (string, error) {
	if s.PID != 0 && s.PID != os.Getpid() {
		return notMe, nil
	}
	do, ok := strains[s.Kind]
	if !ok {
		return "", fmt.Errorf("stress of kind %q is not known", s.Kind)
	}
	return do(ctx, s)
})

// strains are the kinds of stress. What is fatal leaves a marker on stderr first, by which it is recognised.
var strains = map[string]func(context.Context, strain) (string, error){
	"exit": func(_ context.Context, s strain) (string, error) {
		fmt.Fprintln(os.Stderr, s.Marker)
		os.Exit(s.Count)
		return "", nil
	},
	"panic": func(ctx context.Context, s strain) (string, error) {
		go panic(s.Marker) // outside the task's goroutine, so that nothing recovers it
		<-ctx.Done()
		return "", ctx.Err()
	},
	"alloc": strainAlloc,
	"fds":   strainFDs,
	"pids":  strainPIDs,
}

// poisonTask ends every worker that runs it.
var poisonTask = pool.Register("respawn.poison", func(_ context.Context, code int) (int, error) {
	fmt.Fprintln(os.Stderr, faults.Poison{Code: code}.Marker())
	os.Exit(code)
	return 0, nil
})

// Poison implements chaos.Poisoner.
func (t *Pool) Poison(ctx context.Context, code int) (pids []int, verdict string, err error) {
	_, err = t.tasks().poison.Call(ctx, t.Pool, code)
	var lost *pool.WorkerLostError
	if !errors.As(err, &lost) {
		return nil, "", fmt.Errorf("a deadly task was not given up: %w", err)
	}
	for _, x := range lost.Exits {
		pids = append(pids, x.PID)
	}
	return pids, lost.Error(), nil
}

// Stress implements chaos.Stresser.
func (t *Pool) Stress(ctx context.Context, slot int, s chaos.Stress) (string, error) {
	in := strain{PID: s.PID, Kind: s.Kind, Text: s.Text, Bytes: s.Bytes, Count: s.Count, Hold: s.Hold, Confine: s.Confine}
	in.Marker = s.Marker()
	answer, err := t.tasks().stress.Call(ctx, t.Pool, in, pool.OnSlot(slot), pool.WithDelivery(pool.AtMostOnce))
	var lost *pool.WorkerLostError
	switch {
	case errors.As(err, &lost):
		return "", nil
	case err == nil && answer == notMe:
		return "", chaos.ErrGone
	}
	return answer, err
}
