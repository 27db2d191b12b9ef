// Package shrink finds, for a run that failed, the smallest experiment that still fails in the same way: first the
// fewest injections, then weaker ones, then less load and fewer members.
package shrink

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/respawn-go/respawn/internal/ddmin"
	"github.com/respawn-go/respawn/scenarios"
)

// Oracle runs a candidate once and tells whether it failed with the finding that is looked for. When ctx ends, or it
// cannot tell, the error says so, and the run does not count. It is called from several goroutines at once if
// Search.Jobs says so.
type Oracle func(ctx context.Context, c Candidate) (bool, error)

// ErrNotReproduced tells that the plan itself does not fail when it is injected again, so that nothing can be told from
// parts of it.
var ErrNotReproduced = errors.New("the recorded injections do not give the finding again")

// UndecidedError is an oracle's for a candidate of which no run can be had, as when the harness breaks in each: whether
// it fails is not known. It is not taken, and the search goes on with others.
type UndecidedError struct{ Cause string }

func (e *UndecidedError) Error() string { return "no run of it can be had: " + e.Cause }

// mostUndecided is how many candidates may be so one after the other before it is the whole search that cannot be had.
const mostUndecided = 5

// Vote is how often a candidate must fail, of how many runs.
type Vote = ddmin.Vote

// Search is one search. Fill in the fields and call Do.
type Search struct {
	Start  Candidate // the plan that failed
	Recent int       // so many of its strikes came before the failure was seen; 0: not known
	Oracle Oracle
	Vote   Vote // by which a candidate is kept
	Runs   int  // of the smallest at the end, with those that were made before; 0: none
	Jobs   int  // runs of a candidate that are made at once; 0: one
	// Answers are those of an earlier search that did not come to its end, by which it goes on; Do adds to them. nil:
	// there are none.
	Answers Answers
	Asked   func(best Candidate, answers Answers) // is called after every run, one call at a time; nil: nobody is
}

// Answers are what the oracle has said, a letter a run, y or n, by candidate.
type Answers map[string]string

// Found is the end of a search.
type Found struct {
	Best         Candidate
	Failed, Runs int // of the smallest
	// Loose are the strikes, by index, whose time after the one before does not matter.
	Loose map[int]bool
	// Done tells that the search came to its end: nothing more can be left out.
	Done bool
	// Undecided is how many smaller candidates nothing is known of, and Why what the last of them came to.
	Undecided int
	Why       string
}

// search is one call of Do.
type search struct {
	*Search
	now   context.Context // of the search; its end leaves time for the runs at the end
	best  Candidate
	vote  ddmin.Vote
	mu    sync.Mutex      // for Answers, used, and to call Asked
	used  map[string]int  // answers of those that are there already
	known map[string]bool // what the vote on candidates has come to
	sure  bool            // the plan failed each time
	row   int             // candidates that are undecided since one was not
	lost  Found           // Undecided and Why
	loose map[int]bool
}

// Do searches until nothing smaller fails, or until soon is over, and then runs the smallest a few times more while ctx
// lasts. The error is ErrNotReproduced, or one of the oracle; what was found is returned with it.
func (s *Search) Do(ctx, soon context.Context) (Found, error) {
	if s.Answers == nil {
		s.Answers = Answers{}
	}
	x := &search{
		Search: s, now: soon, best: s.Start, vote: s.Vote, used: map[string]int{}, known: map[string]bool{},
		loose: map[int]bool{},
	}
	err := x.all()
	done := err == nil
	if err != nil && soon.Err() == nil {
		return x.found(false), err
	}
	for x.now = ctx; ctx.Err() == nil && len(s.Answers[x.best.key()]) < s.Runs; {
		x.used[x.best.key()] = len(s.Answers[x.best.key()])
		if _, err = x.ask(x.now, x.best); err != nil {
			break
		}
	}
	if undecided := (*UndecidedError)(nil); errors.As(err, &undecided) {
		x.pass(undecided)
		return x.found(done), nil
	}
	if err != nil && ctx.Err() == nil && soon.Err() == nil {
		return x.found(done), err
	}
	return x.found(done), nil
}

func (x *search) found(done bool) Found {
	f := Found{
		Best: x.best, Loose: x.loose, Done: done && x.lost.Undecided == 0, Undecided: x.lost.Undecided, Why: x.lost.Why,
	}
	for _, answer := range x.Answers[x.best.key()] {
		f.Runs++
		if answer == 'y' {
			f.Failed++
		}
	}
	return f
}

// all is the search, what makes each further run quicker first.
func (x *search) all() error {
	if err := x.reproduce(); err != nil {
		return err
	}
	if err := x.fewer(); err != nil {
		return err
	}
	if x.sure {
		x.vote.Runs = x.vote.Need // the first run that does not fail decides
	}
	return steps(x.weaker, x.apart, x.sooner, x.lighter, x.smaller)
}

// fewer leaves out injections. Where the whole fails each time a part is taken at its first failure, and put to the
// vote at the end: if it fails too seldom, the search is made again with a vote on each part.
func (x *search) fewer() error {
	vote := x.vote
	if x.sure {
		x.vote = Vote{Runs: min(vote.Runs, 2), Need: 1}
	}
	err := steps(x.hurry, x.recent, x.fewest)
	if x.vote == vote || err != nil {
		return err
	}
	x.vote, x.known = vote, map[string]bool{x.Start.key(): true}
	clear(x.used)
	if ok, err := x.try(x.best); ok || err != nil {
		return err
	}
	x.best = x.Start
	return steps(x.hurry, x.recent, x.fewest)
}

// steps does one after the other.
func steps(list ...func() error) error {
	for _, step := range list {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// ask runs a candidate once more, or takes the answer that is there.
func (x *search) ask(ctx context.Context, c Candidate) (bool, error) {
	if fails, ok := x.earlier(c); ok {
		return fails, nil
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	fails, err := x.Oracle(ctx, c)
	if err != nil {
		return false, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	letter := "n"
	if fails {
		letter = "y"
	}
	x.Answers[c.key()] += letter
	x.used[c.key()]++
	if x.Asked != nil {
		x.Asked(x.best, x.Answers)
	}
	return fails, nil
}

// earlier takes an answer that is there.
func (x *search) earlier(c Candidate) (fails, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	key := c.key()
	at := x.used[key]
	if ok = at < len(x.Answers[key]); ok {
		x.used[key]++
	}
	return ok && x.Answers[key][at] == 'y', ok
}

// poll has the vote on a candidate.
func (x *search) poll(c Candidate) (yes, asked int, err error) {
	return x.vote.Ask(x.now, x.Jobs, func(ctx context.Context) (bool, error) { return x.ask(ctx, c) })
}

// try takes the candidate for the best if it fails often enough. One that was tried before is not run again.
func (x *search) try(c Candidate) (bool, error) {
	ok, known := x.known[c.key()]
	if !known {
		yes, _, err := x.poll(c)
		var undecided *UndecidedError
		switch {
		case errors.As(err, &undecided):
			if x.pass(undecided); x.row == mostUndecided {
				return false, err
			}
		case err != nil:
			return false, err
		default:
			x.row = 0
		}
		ok = err == nil && yes >= x.vote.Need
		x.known[c.key()] = ok
	}
	if ok {
		x.best = c
	}
	return ok, nil
}

// pass notes a candidate that is passed over.
func (x *search) pass(u *UndecidedError) {
	x.row++
	x.lost.Undecided, x.lost.Why = x.lost.Undecided+1, u.Cause
}

const (
	mostTries = 10 // of a plan that fails too seldom, to see how seldom that is
	mostRuns  = 20 // of a candidate
)

// reproduce injects the whole plan again. One that fails less often than asked for is searched all the same: a
// candidate is then run so often that it would be seen to fail with 95 %, if it failed as often as the whole.
func (x *search) reproduce() error {
	yes, asked, err := x.poll(x.Start)
	for ; err == nil && yes < x.vote.Need && asked < mostTries; asked++ {
		var again bool
		if again, err = x.ask(x.now, x.Start); again {
			yes++
		}
	}
	switch {
	case err != nil:
		return err
	case yes == 0:
		return fmt.Errorf("%w, in %d runs", ErrNotReproduced, asked)
	case float64(yes)/float64(asked) < float64(x.vote.Need)/float64(x.vote.Runs):
		x.vote = ddmin.Vote{Runs: min(mostRuns, int(math.Ceil(3*float64(asked)/float64(yes)))), Need: 1}
	}
	x.known[x.Start.key()], x.sure = true, yes == asked
	return nil
}

// quickSettle is long enough for a target that recovers at all.
const quickSettle = 1500 * time.Millisecond

// hurry makes runs shorter that wait for what does not come, at once with what came after the failure if that goes.
func (x *search) hurry() error {
	c := x.best
	c.NoWarmup = true
	if c.Settle == 0 || c.Settle > quickSettle {
		c.Settle = quickSettle
	}
	if n := x.Recent; n > 0 && n < len(c.Strikes) {
		if ok, err := x.try(c.with(c.Strikes[:n])); ok || err != nil {
			return err
		}
	}
	_, err := x.try(c)
	return err
}

// recent looks at those strikes alone that came last.
func (x *search) recent() error {
	all := x.best.Strikes
	for n := 1; n < len(all)/2; n *= 3 {
		if ok, err := x.try(x.best.with(all[len(all)-n:])); ok || err != nil {
			return err
		}
	}
	return nil
}

// fewest leaves out what can be left out.
func (x *search) fewest() error {
	from := x.best
	_, err := ddmin.Min(from.Strikes, func(part []scenarios.Strike) (bool, error) { return x.try(from.with(part)) })
	return err
}
