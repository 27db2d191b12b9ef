// Package ddmin finds a small part of a list that still does what the whole does, by delta debugging (Zeller and
// Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE Transactions on Software Engineering 28, 2002).
// It is pure: what the parts do is the answer of an oracle, which may be wrong now and then.
package ddmin

import (
	"context"
	"slices"
)

// Fails tells whether a part of the list still fails. It is asked with parts in the list's order, never twice with the
// same one. An error ends the search.
type Fails[T any] func(part []T) (bool, error)

// Min returns a part of the list that fails and of which nothing can be left out: without any one of its items it does
// not fail, if the oracle is right. The list itself is taken to fail and is not asked for. On an error of the oracle
// the part is the smallest that is known to fail, and comes with it.
func Min[T any](list []T, fails Fails[T]) ([]T, error) {
	if len(list) == 0 {
		return list, nil
	}
	s := search[T]{list: list, fails: fails, asked: map[string]bool{}}
	now := make([]int, len(list))
	for i := range now {
		now[i] = i
	}
	switch none, err := s.ask(nil); {
	case err != nil:
		return list, err
	case none:
		return []T{}, nil
	}
	for pieces := 2; len(now) > 1; {
		smaller, found, err := s.step(now, pieces)
		switch {
		case err != nil:
			return s.part(now), err
		case found && len(smaller) <= (len(now)+pieces-1)/pieces: // one of the pieces
			now, pieces = smaller, 2
		case found: // all but one
			now, pieces = smaller, max(pieces-1, 2)
		case pieces >= len(now):
			return s.part(now), nil
		default:
			pieces = min(2*pieces, len(now))
		}
	}
	return s.part(now), nil
}

// search is one call of Min.
type search[T any] struct {
	list  []T
	fails Fails[T]
	asked map[string]bool // by the indices of the part
}

// step looks for a part of now that fails: one of so many pieces of it, else all but one of them.
func (s *search[T]) step(now []int, pieces int) (smaller []int, found bool, err error) {
	cuts := make([][2]int, pieces)
	for i := range cuts {
		cuts[i] = [2]int{i * len(now) / pieces, (i + 1) * len(now) / pieces}
	}
	slices.Reverse(cuts) // what came last before a failure is more likely to have caused it
	for _, c := range cuts {
		piece := now[c[0]:c[1]]
		if found, err = s.ask(piece); found || err != nil {
			return piece, found, err
		}
	}
	if pieces == 2 { // all but one of two is the other one
		return nil, false, nil
	}
	slices.Reverse(cuts) // what came first is more likely to be left out
	for _, c := range cuts {
		rest := slices.Concat(now[:c[0]], now[c[1]:])
		if found, err = s.ask(rest); found || err != nil {
			return rest, found, err
		}
	}
	return nil, false, nil
}

// ask asks the oracle about the items with those indices, unless it has been asked.
func (s *search[T]) ask(indices []int) (bool, error) {
	key := make([]byte, 0, 4*len(indices))
	for _, i := range indices {
		key = append(key, byte(i), byte(i>>8), byte(i>>16), byte(i>>24))
	}
	if answer, ok := s.asked[string(key)]; ok {
		return answer, nil
	}
	answer, err := s.fails(s.part(indices))
	if err == nil {
		s.asked[string(key)] = answer
	}
	return answer && err == nil, err
}

func (s *search[T]) part(indices []int) []T {
	part := make([]T, len(indices))
	for i, at := range indices {
		part[i] = s.list[at]
	}
	return part
}

// Vote is how a question is asked whose answer is not the same each time.
type Vote struct {
	Runs int // at most so often; at least 1
	Need int // it is yes if it was so often; from 1 to Runs
}

// Ask asks until it is decided, up to so many times at once (0 is 1), and tells how often the answer was yes, and how
// often it was asked. An error of ask ends it: that one does not count, nor do those that were on their way when it was
// decided, whose context ends and for which it waits.
func (v Vote) Ask(ctx context.Context, jobs int, ask func(context.Context) (bool, error)) (yes, asked int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	type answer struct {
		yes bool
		err error
	}
	answers, asking := make(chan answer), 0
	defer func() {
		for cancel(); asking > 0; asking-- {
			<-answers
		}
	}()
	for yes < v.Need && yes+v.Runs-asked >= v.Need {
		for ; asking < min(max(jobs, 1), v.Runs-asked); asking++ {
			go func() {
				yes, err := ask(ctx)
				answers <- answer{yes, err}
			}()
		}
		a := <-answers
		asking--
		if a.err != nil {
			return yes, asked, a.err
		}
		asked++
		if a.yes {
			yes++
		}
	}
	return yes, asked, nil
}
