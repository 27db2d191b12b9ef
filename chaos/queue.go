package chaos

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/wait"
)

// Slots that are at work at the same time may rest after each task, or be given the next one late. So several tasks for
// each slot are sent at once, and how quickly all are done is compared with before the faults.

// queues sends queues of tasks until one was done at half the pace of before the faults, or where nobody knows that, of
// all slots; at most while patience lasts. Those before the faults end sooner, with the first one that most slots were
// at work on all the time.
func (x *experiment) queues(ctx context.Context, first bool) {
	members, places := x.workers(), float64(x.places())
	for began := time.Now(); ; {
		pace, best, whole := x.queue(ctx, members)
		patience, enough := history.Patience(members), history.Regained*min(cmp.Or(x.pace, places), places)
		if first {
			x.pace = max(x.pace, best)
			patience, enough = patience/4, 0.75*places
		}
		if pace >= enough || first && !whole || time.Since(began) > patience ||
			wait.For(ctx, 5*time.Millisecond) != nil {
			return
		}
	}
}

// queue sends a queue of tasks and waits for them. The pace is that of all, and the best that of the first of them. It
// is whole if each gave its value.
func (x *experiment) queue(ctx context.Context, members int) (pace, best float64, whole bool) {
	hold := min(history.Hold(members)/2, x.taskTimeout()/4)
	began, took := x.clock.now(), []time.Duration{}
	answers := x.sendAtOnce(ctx, history.InQueue, history.Depth*x.places(), hold)
	for _, a := range answers {
		if a.Outcome == history.OK {
			took = append(took, a.to-began)
		}
	}
	slices.Sort(took)
	return history.Pace(len(took), hold, x.clock.now()-began), history.BestPace(len(answers), hold, took),
		len(took) == len(answers)
}

// sendAtOnce sends that many sleeps to no slot in particular, waits for them, and records what became of them.
func (x *experiment) sendAtOnce(ctx context.Context, slot, n int, hold time.Duration) []answer {
	answers := make([]answer, n)
	var all sync.WaitGroup
	// as tasks of the load have: a pool that knows these by their numbers could treat them better
	first := x.loader.number(n)
	for i := range answers {
		x.record(
			history.Event{Probe: &history.Probe{Slot: slot, Op: history.Sent, Task: first + uint64(i), Hold: hold}})
	}
	for i := range answers { // all of which are told of before any can be answered
		id, began := first+uint64(i), x.clock.now()
		all.Go(func() {
			s := x.Target.(Runner).Do(ctx, Task{ID: id, Name: "sleep", Args: map[string]any{"duration": hold}})
			p := &history.Probe{Slot: slot, Op: history.Answered, Task: id, Hold: hold, PID: s.PID}
			if s.Outcome != history.OK {
				p.Op, p.Err = history.NoAnswer, string(s.Outcome)+": "+s.Err
			}
			x.record(history.Event{Probe: p})
			answers[i] = answer{s, id, began, x.clock.now()}
		})
	}
	all.Wait()
	return answers
}

// answer is what became of a task that was sent at once with others.
type answer struct {
	Settled
	task     uint64
	from, to time.Duration // when it was sent, and answered
}
