package chaos

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/witness"
)

// A slot that answers when it is asked alone may share one lane with all the others. So all are given a task at once,
// each as long as the others: every member must be at work at the same moment, as the tasks themselves witness. Where a
// host is too busy to begin them all within the first one's time, they are given longer ones.

// round is tasks that were sent at once.
type round struct {
	hold    time.Duration
	sent    []history.Run         // with what each answer says of who ran it, and from when to when at the latest
	quick   map[int]time.Duration // by pid, how much longer than its hold its quickest answer took
	unready bool                  // some did not give their value
}

// together sends rounds of tasks until one of them had every member at work at once, and each member was as quick with
// one of them as the rounds before the faults say that members are; at most while patience lasts. What a busy host took
// before the faults is no licence to be slow, so for a part of the time each member is to be as quick as one whose
// likes were quick. Those before the faults end sooner, once each member was so quick that the noise of the host does
// not set the limit.
func (x *experiment) together(ctx context.Context, first bool) {
	members := x.workers()
	began := time.Now()
	quick := map[int]time.Duration{}
	whole := false
	for hold := history.Hold(members); ; {
		r := x.round(ctx, members, hold)
		for pid, took := range r.quick {
			if best, ok := quick[pid]; !ok || took < best {
				quick[pid] = took
			}
		}
		whole = whole || x.overlap(r) >= members
		if first {
			x.quick = history.Usual(quick)
			if history.Longest(quick) <= history.Quick || ctx.Err() != nil || r.unready ||
				time.Since(began) > history.Patience(members)/4 {
				return
			}
			continue
		}
		limit := history.Slow(0)
		if time.Since(began) > history.Patience(members)/4 {
			limit = history.Slow(x.quick)
		}
		if whole && len(quick) >= members && history.Longest(quick) <= limit || ctx.Err() != nil ||
			r.unready || time.Since(began) > history.Patience(members) {
			return
		}
		hold = min(4*hold, 16*history.Hold(members), x.taskTimeout()/4)
	}
}

// builtIn tells whether the target runs the built-in tasks: in tests it may be given others, which nobody witnesses.
func (x *experiment) builtIn() bool {
	_, runs := x.Target.(Runner)
	t, ok := x.Target.(Unwitnessed)
	return runs && (x.Witness != "" || ok && t.Unwitnessed())
}

// taskTimeout is how long the target lets a task run.
func (x *experiment) taskTimeout() time.Duration {
	if t, ok := x.Target.(Timed); ok && t.TaskTimeout() > 0 {
		return t.TaskTimeout()
	}
	return math.MaxInt64
}

// round sends as many tasks as all members can run at a time, and waits for them: of fewer, one that runs several could
// take what is another's.
func (x *experiment) round(ctx context.Context, members int, hold time.Duration) round {
	r := round{hold: hold, quick: map[int]time.Duration{}}
	for _, a := range x.sendAtOnce(ctx, history.AnySlot, x.places(), hold) {
		r.sent = append(r.sent, history.Run{Task: a.task, PID: a.PID, Start: a.to - hold, End: a.to})
		r.unready = r.unready || a.Outcome != history.OK
		took := a.to - a.from - hold
		if best, ok := r.quick[a.PID]; a.Outcome == history.OK && (!ok || took < best) {
			r.quick[a.PID] = took
		}
	}
	return r
}

// overlap is how many processes were at work at once in the round: as the tasks witnessed, or if nobody does, as they
// must have been to last as long as they did.
func (x *experiment) overlap(r round) int {
	runs := r.sent
	if x.Witness != "" {
		all, _, err := witness.ReadFile(x.Witness, x.clock.base)
		if err != nil {
			return 0
		}
		ours := map[uint64]bool{}
		for _, s := range r.sent {
			ours[s.Task] = true
		}
		runs = slices.DeleteFunc(all, func(w history.Run) bool { return !ours[w.Task] })
	}
	x.recMu.Lock()
	defer x.recMu.Unlock()
	var members []history.Run
	for _, w := range runs {
		if !x.retired.Retired(w.PID, w.Start) {
			members = append(members, w.AtWork(r.hold))
		}
	}
	return history.Together(members)
}
