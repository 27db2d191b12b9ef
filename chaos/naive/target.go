package naive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/procfs"
)

var (
	_ chaos.Target = (*Pool)(nil)
	_ chaos.Runner = (*Pool)(nil)
	_ chaos.Marked = (*Pool)(nil)
)

// Describe implements chaos.Target.
func (p *Pool) Describe() history.Target {
	return history.Target{
		Kind: "naive", Name: "naive", Version: fmt.Sprint(p.bugs), Size: len(p.slots),
		Can: []string{"events", "exits", "attempts", "slots", "phases", "witness", "marker"},
	}
}

// Want implements chaos.Target.
func (p *Pool) Want() int { return len(p.slots) }

// Marker implements chaos.Marked.
func (p *Pool) Marker() string { return p.marker }

// Sweep ends everything that the pool left behind on purpose, and reaps it. Call it after Close and after the last look.
func (p *Pool) Sweep() error {
	err := p.Close()
	table, tableErr := procfs.Snapshot()
	for pid := range table {
		if pid != os.Getpid() && procfs.Marked(pid, "RESPAWN_POOL="+p.marker) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	for _, s := range p.slots {
		if s.proc != nil && (p.has(Orphans) || p.has(Zombies)) {
			_ = s.proc.cmd.Wait()
		}
	}
	for _, proc := range p.unreaped {
		_ = proc.cmd.Wait()
	}
	return errors.Join(err, tableErr)
}

// Members implements chaos.Target.
func (p *Pool) Members(context.Context) ([]chaos.Member, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []chaos.Member
	for _, s := range p.slots {
		if !s.ready && !p.has(LiesAboutSize) {
			continue
		}
		m := chaos.Member{
			Slot: s.index, Generation: s.gen, Name: fmt.Sprintf("naive-%d", s.index), PID: s.pid, Started: s.started,
			State: chaos.Ready, Phase: "idle",
		}
		if s.busy != nil {
			m.Phase = "running"
		}
		list = append(list, m)
	}
	return list, nil
}

// Watch implements chaos.Target.
func (p *Pool) Watch(fn func(history.Member)) (stop func() uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watching++
	id := p.watching
	p.watchers[id] = fn
	return func() uint64 {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watchers, id)
		return 0
	}
}

// Probe implements chaos.Target.
func (p *Pool) Probe(ctx context.Context, slot int) (pid int, err error) {
	if slot < 0 || slot >= len(p.slots) {
		return 0, fmt.Errorf("no slot %d", slot)
	}
	j := &job{task: chaos.Task{Name: "square"}, settled: make(chan chaos.Settled, 1)}
	select {
	case p.slots[slot].pinned <- j:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case s := <-j.settled:
		if s.Outcome != history.OK {
			return s.PID, errors.New(s.Err)
		}
		return s.PID, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-p.stop:
		return 0, errStopped
	}
}
