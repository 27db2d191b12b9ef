package targets

import (
	"context"
	"errors"
	"fmt"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/forks"
	"github.com/respawn-go/respawn/scenarios/targets/server"
)

// Server is a preforking web server as a target: a task is a request, and one that is lost is a broken connection.
// StartServer makes it. Safe for concurrent use.
type Server struct {
	*outside
	server *server.Server
}

var (
	_ chaos.Target     = (*Server)(nil)
	_ chaos.Runner     = (*Server)(nil)
	_ chaos.Marked     = (*Server)(nil)
	_ chaos.Supervised = (*Server)(nil)
)

// StartServer starts a server and waits until all its workers are there; ctx bounds that. Its files are in dir, which the
// caller removes after Close. Errors are server.Start's.
func StartServer(ctx context.Context, c server.Config) (*Server, error) {
	f := followForks()
	t, err := startServer(ctx, c, f)
	if err != nil && f != nil {
		err = errors.Join(err, f.Close())
	}
	return t, err
}

func startServer(ctx context.Context, c server.Config, f *forks.Follower) (*Server, error) {
	s, err := server.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	first, err := s.Workers(ctx)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	t := &Server{server: s}
	what := history.Target{Kind: "server", Name: s.Name(), Version: s.Version(), Size: c.Size}
	t.outside = newOutside(what, s, first, f, s.Witness(), t.sendProbe)
	return t, nil
}

// Marker implements chaos.Marked.
func (t *Server) Marker() string { return t.server.Marker() }

// Supervisor implements chaos.Supervised: the parent of the workers.
func (t *Server) Supervisor() int { return t.server.PID() }

// Do implements chaos.Runner. A connection that breaks or is refused is a task that is Lost; an answer that is an error,
// such as a gateway's for a worker that died, is one that Failed.
func (t *Server) Do(ctx context.Context, task chaos.Task) chaos.Settled {
	ms, err := plainTask("server", task)
	if err != nil {
		return chaos.Settled{Outcome: history.Rejected, Err: err.Error()}
	}
	t.prober.load.Add(1)
	defer t.prober.load.Add(-1)
	a, err := t.server.Request(ctx, server.Task{ID: task.ID, Name: task.Name, N: factor(task.ID), MS: ms})
	var status *server.StatusError
	switch {
	case err == nil:
		t.prober.answered(a.PID)
		return rightAnswer(task, a.Value.String(), a.PID)
	case ctx.Err() != nil:
		return chaos.Settled{Outcome: history.Hung, Err: err.Error()}
	case errors.As(err, &status):
		return chaos.Settled{Outcome: history.Failed, Err: err.Error()}
	}
	return chaos.Settled{Outcome: history.Lost, Err: err.Error()}
}

// sendProbe makes one short request.
func (t *Server) sendProbe(ctx context.Context) (pid int, err error) {
	id := t.nextProbe()
	n := factor(id)
	a, err := t.server.Request(ctx, server.Task{ID: id, Name: "sleep", N: n, MS: probeFor.Milliseconds()})
	if err == nil && a.Value.String() != fmt.Sprint(n*n) {
		err = fmt.Errorf("process %d answered a probe with %q, want %d", a.PID, a.Value, n*n)
	}
	if err == nil {
		t.probeAnswered(id, a.PID)
	}
	return a.PID, err
}

// Close stops the server and sees to it that nothing of it is left but its files. Closing twice is fine. The error is a
// [*chaos.LeftError] if some of its processes did not end by themselves.
func (t *Server) Close() error {
	t.stop()
	left, err := t.server.Stop(context.Background())
	if left > 0 {
		err = errors.Join(&chaos.LeftError{Processes: left}, err)
	}
	return err
}
