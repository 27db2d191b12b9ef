package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
)

// Supervisor ends the parent of all members by a signal, SIGKILL unless it says otherwise, or stops it for a while;
// with Tree all that descends from it, too. The evidence of an end is that the parent is gone, and a census of the
// descendants that it left, with the ports that they hold: a pool that keeps its word has none after a second. Where
// the target can do that, the parent is started again beside them, and it is told whether it takes over, starts twins,
// or cannot start. That of a pause is the state T of those who were stopped, at its beginning and at its end; the
// guardian continues them if the harness is killed meanwhile.
type Supervisor struct {
	Signal string        `yaml:"signal,scalar" doc:"Default KILL."`
	Pause  time.Duration `yaml:"pause" zero:"no pause: want a time such as 1s" doc:"In place of a signal that ends it: SIGSTOP, and SIGCONT after this time."`
	Tree   bool          `yaml:"tree" zero:"the parent alone: the default" doc:"All that descends from it, too, each process by itself."`
}

func (s Supervisor) signal() Signal { return Signal{Name: cmp.Or(s.Signal, "KILL")} }

func (s Supervisor) String() string {
	what := "supervisor"
	if s.Pause == 0 || s.Signal != "" {
		what += strings.TrimPrefix(s.signal().String(), "signal")
	}
	if s.Pause > 0 {
		what += " pause " + s.Pause.String()
	}
	if s.Tree {
		what += " tree"
	}
	return what
}

// Validate wants a signal that there is.
func (s Supervisor) Validate() error {
	switch {
	case s.Pause < 0:
		return fmt.Errorf("supervisor: a pause of %v: want a positive duration", s.Pause)
	case s.Pause > 0 && s.Signal != "":
		return errors.New("supervisor: signal and pause contradict each other: want one")
	case slices.Contains([]string{"STOP", "TSTP"}, strings.TrimPrefix(s.signal().full(), "SIG")):
		return fmt.Errorf("supervisor %s would stop it for good: use pause, with a time", s.Signal)
	}
	return s.signal().Validate()
}

// Traits implements chaos.Fault.
func (s Supervisor) Traits() chaos.Traits {
	if s.Pause > 0 {
		return chaos.Traits{Whole: true, Ends: []string{"stall"}}
	}
	return chaos.Traits{Whole: true, Resizes: true, Abandons: true, EndsParent: true, Idle: s.signal().Traits().Idle}
}

// Begin makes an injection.
func (s Supervisor) Begin() chaos.Injection { return &orphaning{Supervisor: s} }

const (
	// orphanGrace is how long the descendants of a parent that was killed may live.
	orphanGrace = time.Second
	// succeedTimeout is how long a parent that is started again may take to have its members, or to give up: some try a
	// port for five seconds.
	succeedTimeout = 10 * time.Second
)

type orphaning struct {
	chaos.Steps
	Supervisor
	marker string
	pid    int
	parent held
	family []held        // the descendants that there were, held since before
	ports  map[int][]int // who listened where before
	size   int           // of the target
	done   []func()      // tell the guardian that it is not needed any more
}

// held is a process that is held, whoever its number passes to.
type held struct {
	pid int
	at  *os.File
}

func (h held) send(sig syscall.Signal) error {
	if err := chaos.SignalProcess(h.at, h.pid, sig); err != nil && !errors.Is(err, chaos.ErrGone) {
		return err
	}
	return nil
}

func (o *orphaning) Setup(_ context.Context, c *chaos.Case) error {
	t, err := chaos.Capability[chaos.Supervised](c, "lose its parent: it is this process")
	if err != nil {
		return err
	}
	m, err := chaos.Capability[chaos.Marked](c, "tell its descendants")
	if err != nil {
		return err
	}
	o.marker, o.pid, o.size = chaos.MarkerEntry(m.Marker()), t.Supervisor(), c.Target.Want()
	if err := chaos.Protected(o.pid); err != nil {
		return err
	}
	o.parent.pid = o.pid
	if o.parent.at, err = chaos.HoldProcess(o.pid); err != nil {
		return err
	}
	if err := o.holdFamily(); err != nil {
		return err
	}
	if o.Pause == 0 {
		return nil
	}
	for _, h := range o.struck() {
		done, err := c.ContinuesAnyway(h.pid)
		if err != nil {
			return err
		}
		o.done = append(o.done, done)
	}
	return nil
}

// holdFamily takes hold of the descendants. What was known of a number is looked at again once it is held.
func (o *orphaning) holdFamily() error {
	pids, err := o.descendants()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := chaos.Protected(pid); err != nil {
			return err
		}
		at, err := chaos.HoldProcess(pid)
		if errors.Is(err, chaos.ErrGone) {
			continue
		}
		if err != nil {
			return err
		}
		o.family = append(o.family, held{pid, at})
	}
	still, err := o.descendants()
	if err != nil {
		return err
	}
	for i := len(o.family) - 1; i >= 0; i-- {
		if !slices.Contains(still, o.family[i].pid) {
			_ = o.family[i].at.Close()
			o.family = slices.Delete(o.family, i, i+1)
		}
	}
	o.ports = holders(append(still, o.pid))
	return nil
}

// struck are all at whom the fault is aimed, the parent first.
func (o *orphaning) struck() []held {
	if !o.Tree {
		return []held{o.parent}
	}
	return append([]held{o.parent}, o.family...)
}

func (o *orphaning) Inject(ctx context.Context, _ *chaos.Case) error {
	sig := o.Supervisor.signal().number()
	if o.Pause > 0 {
		sig = unix.SIGSTOP
	}
	if err := chaos.SignalProcess(o.parent.at, o.pid, sig); err != nil {
		return err
	}
	for _, h := range o.struck()[1:] {
		if err := h.send(sig); err != nil {
			return err
		}
	}
	for o.Pause > 0 && o.stopped()+o.gone() < len(o.struck()) {
		if err := wait.For(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// stopped counts those struck of whom no thread runs, gone those who have ended.
func (o *orphaning) stopped() (n int) {
	for _, h := range o.struck() {
		if still, err := procfs.Stopped(h.pid); err == nil && still && !pidfd.Ended(h.at) {
			n++
		}
	}
	return n
}

func (o *orphaning) gone() (n int) {
	for _, h := range o.struck() {
		if pidfd.Ended(h.at) {
			n++
		}
	}
	return n
}

func (o *orphaning) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	if o.Pause > 0 {
		return o.confirmPause(ctx, c)
	}
	r := history.Receipt{Tier: chaos.TierReadable, Evidence: map[string]string{"parent": fmt.Sprint(o.pid)}}
	if o.Tree {
		r.Evidence["struck with it"] = fmt.Sprint(len(o.family))
	}
	gone := make(chan error, 1)
	go func() { gone <- pidfd.Await(o.parent.at) }()
	select {
	case err := <-gone:
		if err != nil {
			return r, err
		}
	case <-time.After(fatalWait):
		return r, errors.New("the parent is alive")
	case <-ctx.Done():
		return r, ctx.Err()
	}
	r.At = c.Now()
	died := time.Now()
	left, err := o.left()
	for ; err == nil && len(left) > 0 && time.Since(died) < orphanGrace; left, err = o.left() {
		if err := wait.For(ctx, 5*time.Millisecond); err != nil {
			return r, err
		}
	}
	if err != nil {
		return r, fmt.Errorf("look for the descendants: %w", err)
	}
	r.Evidence["descendants"] = fmt.Sprint(len(left))
	if len(left) == 0 {
		r.Evidence["none left after"] = time.Since(died).Round(time.Millisecond).String()
	} else {
		r.Evidence["left after"] = orphanGrace.String()
		r.Evidence["who lives on"] = named(left)
	}
	if len(o.ports) > 0 {
		r.Evidence["ports"] = heldPorts(o.ports, holders(left))
	}
	return r, o.succeed(ctx, c, len(left), r.Evidence)
}

// succeed has the parent started again, where the target can do that, and tells what becomes of it beside so many that
// live on.
func (o *orphaning) succeed(ctx context.Context, c *chaos.Case, before int, evidence map[string]string) error {
	t, ok := c.Target.(chaos.Succeeded)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, succeedTimeout)
	defer cancel()
	after, looked := before, false
	s, err := t.Succeed(ctx, func() {
		looked = true
		if left, err := o.left(); err == nil {
			after = len(left)
		}
	})
	switch {
	case err != nil && !looked:
		return fmt.Errorf("start it again: %w", err)
	case err != nil: // on a busy host what was killed may take long to be gone
		evidence["ending the new one"] = err.Error()
	}
	evidence[history.NewParent] = outcome(s, o.size, before, after)
	return nil
}

// outcome is a succession in words.
func outcome(s chaos.Succession, size, before, after int) string {
	switch {
	case s.Ended != "":
		return "cannot start: it " + s.Ended
	case before == 0:
		return fmt.Sprintf("starts %d of %d", s.Members, size)
	case after == 0:
		return fmt.Sprintf("takes over: those left have ended, it has %d of %d", s.Members, size)
	case s.Members == 0:
		return fmt.Sprintf("starts none beside the %d left", after)
	}
	return fmt.Sprintf("starts %d twins beside the %d left", s.Members, after)
}

// named is processes by their programs: "2 sleep, 1 sh".
func named(pids []int) string {
	counts := map[string]int{}
	for _, pid := range pids {
		counts[procfs.Name(pid)]++
	}
	var words []string
	for name, n := range counts {
		words = append(words, fmt.Sprintf("%d %s", n, cmp.Or(name, "that has ended since")))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// holders is who listens where, by port.
func holders(pids []int) map[int][]int {
	found := map[int][]int{}
	for _, pid := range pids {
		for _, port := range procfs.PortsOf(pid) {
			found[port] = append(found[port], pid)
		}
	}
	return found
}

// heldPorts tells of each port that there was whether somebody of the target holds it still.
func heldPorts(before, after map[int][]int) string {
	var words []string
	for port := range before {
		word := fmt.Sprintf("%d is free", port)
		if n := len(after[port]); n > 0 {
			word = fmt.Sprintf("%d is held by %s", port, named(after[port]))
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func (o *orphaning) confirmPause(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	n := len(o.struck())
	r := history.Receipt{
		Tier: "/proc state", At: c.Now(),
		Evidence: map[string]string{"parent": fmt.Sprint(o.pid), "at the beginning": fmt.Sprintf("T of %d", n)},
	}
	if err := wait.For(ctx, o.Pause); err != nil {
		return r, err
	}
	stopped, gone := o.stopped(), o.gone()
	r.Evidence["at the end"] = fmt.Sprintf("T of %d, %d gone", stopped, gone)
	if stopped+gone < n {
		return r, fmt.Errorf("somebody else continued %d of %d processes", n-stopped-gone, n)
	}
	return r, nil
}

// Heal continues those who were stopped.
func (o *orphaning) Heal(context.Context, *chaos.Case) error {
	if o.Pause == 0 {
		return chaos.ErrNothingToHeal
	}
	var errs []error
	for _, h := range o.struck() {
		errs = append(errs, h.send(unix.SIGCONT))
	}
	return errors.Join(errs...)
}

// left are the descendants that live after the parent's end: those that were known before, and those that carry the
// target's marker.
func (o *orphaning) left() (pids []int, err error) {
	table, err := procfs.Snapshot()
	if err != nil {
		return nil, err
	}
	for _, h := range o.family {
		if !pidfd.Ended(h.at) {
			pids = append(pids, h.pid)
		}
	}
	for pid, p := range table {
		if p.Alive() && pid != o.pid && procfs.Marked(pid, o.marker) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// descendants are the processes that carry the target's marker, or descend from the parent, and live; zombies do not.
func (o *orphaning) descendants() (pids []int, err error) {
	table, err := procfs.Snapshot()
	if err != nil {
		return nil, err
	}
	for pid, p := range table {
		below := func() bool { return table.Has(pid, func(above int) bool { return above == o.pid }) }
		if p.Alive() && pid != o.pid && (procfs.Marked(pid, o.marker) || below()) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

func (o *orphaning) Cleanup(context.Context, *chaos.Case) error {
	for _, done := range o.done {
		done()
	}
	var errs []error
	for _, h := range append(o.family, o.parent) {
		if h.at != nil {
			errs = append(errs, h.at.Close())
		}
	}
	return errors.Join(errs...)
}
