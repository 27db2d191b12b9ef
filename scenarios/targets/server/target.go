package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/forks"
	"github.com/respawn-go/respawn/scenarios/targets/outside"
)

// Target is a preforking web server as a target: a task is a request, and one that is lost is a broken connection.
// StartTarget makes it. Safe for concurrent use.
type Target struct {
	*outside.Pool
	server *Server
}

var (
	_ chaos.Target     = (*Target)(nil)
	_ chaos.Prober     = (*Target)(nil)
	_ chaos.Runner     = (*Target)(nil)
	_ chaos.Marked     = (*Target)(nil)
	_ chaos.Supervised = (*Target)(nil)
)

// StartTarget starts a server and waits until all its workers are there; ctx bounds that. Its files are in dir, which
// the caller removes after Close. Errors are Start's.
func StartTarget(ctx context.Context, c Config) (*Target, error) {
	f := outside.FollowForks()
	t, err := startTarget(ctx, c, f)
	if err != nil && f != nil {
		err = errors.Join(err, f.Close())
	}
	return t, err
}

func startTarget(ctx context.Context, c Config, f *forks.Follower) (*Target, error) {
	s, err := Start(ctx, c)
	if err != nil {
		return nil, err
	}
	first, err := s.Workers(ctx)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	t := &Target{server: s}
	what := history.Target{Kind: "server", Name: s.Name(), Version: s.Version(), Size: c.Size}
	t.Pool = outside.Watch(what, s, first, f, s.Witness(), t.sendProbe)
	return t, nil
}

// Marker implements chaos.Marked.
func (t *Target) Marker() string { return t.server.Marker() }

// Supervisor implements chaos.Supervised: the parent of the workers.
func (t *Target) Supervisor() int { return t.server.PID() }

// Do implements chaos.Runner. A connection that breaks or is refused is a task that is Lost; an answer that is an
// error, such as a gateway's for a worker that died, is one that Failed.
func (t *Target) Do(ctx context.Context, task chaos.Task) chaos.Settled {
	ms, err := outside.PlainTask("server", task)
	if err != nil {
		return chaos.Settled{Outcome: history.Rejected, Err: err.Error()}
	}
	defer t.Loaded()()
	a, err := t.server.Request(ctx, Task{ID: task.ID, Name: task.Name, N: outside.Factor(task.ID), MS: ms})
	var status *StatusError
	switch {
	case err == nil:
		t.Answered(a.PID)
		return outside.RightAnswer(task, a.Value.String(), outside.Square(task.ID), a.PID)
	case ctx.Err() != nil:
		return chaos.Settled{Outcome: history.Hung, Err: err.Error()}
	case errors.As(err, &status):
		return chaos.Settled{Outcome: history.Failed, Err: err.Error()}
	}
	return chaos.Settled{Outcome: history.Lost, Err: err.Error()}
}

// sendProbe makes one short request.
func (t *Target) sendProbe(ctx context.Context) (pid int, err error) {
	id := t.NextProbe()
	n := outside.Factor(id)
	a, err := t.server.Request(ctx, Task{ID: id, Name: "sleep", N: n, MS: outside.ProbeFor.Milliseconds()})
	if err == nil && a.Value.String() != fmt.Sprint(n*n) {
		err = fmt.Errorf("process %d answered a probe with %q, want %d", a.PID, a.Value, n*n)
	}
	if err == nil {
		t.ProbeAnswered(id, a.PID)
	}
	return a.PID, err
}

// Close stops the server and sees to it that nothing of it is left but its files. Closing twice is fine. The error is a
// [*chaos.LeftError] if some of its processes did not end by themselves.
func (t *Target) Close() error {
	t.Stop()
	left, err := t.server.Stop(context.Background())
	if left > 0 {
		err = errors.Join(&chaos.LeftError{Processes: left}, err)
	}
	return err
}
