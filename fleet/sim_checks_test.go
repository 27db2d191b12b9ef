package fleet

import (
	"errors"
	"time"

	"github.com/respawn-go/respawn/pool"
)

// checkRun judges an execution as it begins, with what the simulation knows and no judge can.
func (s *sim) checkRun(n *simNode, owner *simOwner, k taskKey, t *simTask) {
	if owner.dead && s.now-owner.troubled > ownerGone+30*time.Second {
		s.violation("%v begins on %s though its owner died at %v", k, n.id, owner.troubled)
	}
	for _, r := range s.runs {
		if r.key != k || r.task != t {
			continue
		}
		if t.delivery == pool.AtMostOnce {
			s.violation("%v, at most once, begins on %s, and began on %s at %v", k, n.id, r.node.id, r.began)
			return
		}
		// an ack: who came since then takes what is there for new
		forgot := s.rolledAt > r.began && n.joined >= s.rolledAt
		if (r.ended == 0 || r.finished) && !r.node.unwellSince(r.began) && !owner.dead && !forgot {
			s.violation("%v runs again on %s without a cause: it began on %s at %v, which has been well since",
				k, n.id, r.node.id, r.began)
			return
		}
	}
}

// unwellSince tells whether a process was stopped, cut off or killed at some time since then.
func (p *party) unwellSince(then time.Duration) bool {
	return p.troubled >= then || p.cut || p.paused || p.dead
}

// checkAck finds a message that is taken out of the stream though its task may still need it.
func (s *sim) checkAck(m *simStored) {
	if s.rolledAt > 0 { // repair publishes again what that takes
		return
	}
	for _, o := range s.owners {
		if o.id != m.env.Owner || o.dead || o.troubled > 0 && o.unwellSince(s.now-ownerGone) {
			continue
		}
		if t, j := o.tasks[m.env.No], o.judge.tasks[m.env.No]; t != nil && t.settled == 0 && j != nil &&
			j.returns == 0 && j.try == m.env.Try {
			s.violation("%s.%d is acknowledged before it has settled", o.id, t.no)
		}
	}
}

// checkLost finds a task at most once that was given up though the node that began it has been well.
func (s *sim) checkLost(o *simOwner, t *simTask) {
	for _, r := range s.runs {
		if r.task == t && !r.node.unwellSince(r.began-s.limits.NodeTimeout) {
			s.violation("%s.%d, at most once, is lost, though %s has been well since it began it at %v",
				o.id, t.no, r.node.id, r.began)
		}
	}
}

// checkCredit finds a node that keeps more results than their owners take.
func (n *simNode) checkCredit() {
	for id, o := range n.hand.owners {
		if o.pending > n.hand.credit+int64(n.workers+2)*4000 {
			n.s.violation("%s keeps %d bytes of results for %s, whose credit is %d", n.id, o.pending, id, n.hand.credit)
			o.pending = 0 // said once
		}
	}
}

// checkEnd judges the whole once the faults are long over.
func (s *sim) checkEnd() {
	for _, o := range s.owners {
		if o.dead {
			continue
		}
		for _, no := range sortedKeys(o.tasks) {
			if t := o.tasks[no]; t.settled == 0 {
				s.violation("%s.%d has not settled, submitted at %v", o.id, no, t.submitted)
			}
		}
	}
	if left := len(s.broker.stream); left > 0 {
		s.violation("%d messages are left in the stream", left)
	}
	for _, n := range s.nodes {
		if !n.dead && len(n.hand.tasks) > 0 {
			s.violation("%d tasks are left in the hand of %s", len(n.hand.tasks), n.id)
		}
		if !n.dead && len(n.running) > 0 {
			s.violation("%d executions go on at %s", len(n.running), n.id)
		}
	}
	s.checkCancelled()
	s.checkRescue()
	if s.onlyPauses {
		s.checkPatience()
	}
}

// checkCancelled finds executions that went on though their task was cancelled and everybody was well.
func (s *sim) checkCancelled() {
	for _, r := range s.runs {
		began := max(r.began, r.task.at)
		if r.task.cancelled && r.ended > began+2*time.Second && !r.node.unwellSince(r.began) && !s.troubled &&
			!s.onlyEmpty {
			s.violation("%v, cancelled at %v, ran on %s from %v to %v", r.key, r.task.at, r.node.id, r.began, r.ended)
		}
	}
}

// checkPatience looks at schedules in which one node at a time was stopped: nothing waits for it much longer than
// NodeTimeout.
func (s *sim) checkPatience() {
	for _, o := range s.owners {
		for _, no := range sortedKeys(o.tasks) {
			if t := o.tasks[no]; t.at > t.submitted+s.limits.NodeTimeout+12*time.Second {
				s.violation("%s.%d, submitted at %v, settled at %v", o.id, no, t.submitted, t.at)
			}
		}
	}
}

// checkRescue looks at schedules in which nodes were killed and nothing else happened: their tasks run elsewhere soon.
func (s *sim) checkRescue() {
	if !s.onlyKills {
		return
	}
	for _, r := range s.runs {
		if !r.node.dead || r.finished || r.ended != r.node.troubled || r.task.delivery != pool.AtLeastOnce ||
			r.task.killer || r.task.cancelled {
			continue
		}
		again := time.Duration(0)
		for _, o := range s.runs {
			if o.task == r.task && o.began > r.ended && (again == 0 || o.began < again) {
				again = o.began
			}
		}
		if limit := r.ended + 3*time.Second; again > limit || again == 0 && r.task.settled == 0 {
			s.violation("%v ran on %s, which died at %v, and began elsewhere at %v", r.key, r.node.id, r.ended, again)
		}
	}
}

// isLost tells whether a task was settled because what ran it ended.
func isLost(err error) bool {
	var e *pool.WorkerLostError
	return errors.As(err, &e)
}

// endsWith is how many nodes were killed from outside while they ran a task.
func (s *sim) endsWith(t *simTask) (n int) {
	for _, r := range s.runs {
		if r.task == t && r.node.dead && !r.node.killer && !r.finished && r.ended == r.node.troubled {
			n++
		}
	}
	return n
}
