package scenarios

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos"
)

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Defaults of the keys that have one beyond the zero value.
const (
	defaultSettle  = 10 * time.Second
	defaultTimeout = 5 * time.Minute
)

// fail reports a problem at the path, or at the closest thing above it that is in the file.
func (d *decoder) fail(path, format string, args ...any) {
	for at := path; ; {
		if n, ok := d.at[at]; ok {
			d.problem(n, format, args...)
			return
		}
		at = at[:max(0, strings.LastIndexByte(at, '.'))]
	}
}

// check reports what is missing, impossible or contradictory in a scenario whose every value is well-formed by itself.
func (s *Scenario) check(d *decoder) {
	switch {
	case s.Name == "":
		d.fail("name", "name is missing")
	case !nameForm.MatchString(s.Name):
		d.fail("name", "name %q: want lower-case letters, digits and dashes, at most 63", s.Name)
	}
	size := s.checkTarget(d)
	s.checkLoad(d)
	s.checkAbilities(d)
	for i := range s.Chaos {
		s.Chaos[i].check(d, fmt.Sprintf("chaos.%d", i), size, max(size, s.Target.most()))
	}
	for i, n := range s.Chaos {
		n.Fault.checkFloor(d, fmt.Sprintf("chaos.%d.fault", i), s.MinAlive)
	}
	s.checkPlan(d)
	if s.MinAlive > 0 && size > 0 && int(s.MinAlive) >= size {
		d.fail("min_alive", "min_alive of %d with %d members forbids every fault", s.MinAlive, size)
	}
	if n, there := d.at["chaos"]; len(s.Chaos) == 0 && len(s.Expect) == 0 && (!there || !d.reported(n)) {
		d.fail("chaos", "neither chaos nor expect: the run would prove nothing")
	}
	s.checkReachable(d, size)
	s.checkSamples(d, size)
	d.checkConditions("steady", s.Steady)
	d.checkConditions("expect", s.Expect)
	d.checkConditions("abort", s.Abort)
	s.checkAnswerable(d)
	s.checkMeaning(d, size)
	if !d.broken("timeout") {
		s.checkTimeout(d)
	}
}

// checkReachable refuses more victims than a target of that size has, unless a fault changes its size.
func (s *Scenario) checkReachable(d *decoder, size int) {
	if size == 0 || slices.ContainsFunc(s.Chaos, func(n Nemesis) bool { return n.Fault.enlarges() }) {
		return
	}
	for i, n := range s.Chaos {
		for _, k := range []struct {
			key string
			n   Count
		}{{"random", n.Pick.Random}, {"oldest", n.Pick.Oldest}, {"newest", n.Pick.Newest}} {
			if int(k.n) > size {
				d.fail(fmt.Sprintf("chaos.%d.pick.%s", i, k.key), "%s %d of %d members", k.key, k.n, size)
			}
		}
	}
}

// chosen names the fields of a struct of pointers and slices that are set.
func chosen(v any) []string {
	var set []string
	r := reflect.ValueOf(v)
	for key, f := range fieldsOf(r.Type()) {
		if !r.Field(f.index).IsZero() {
			set = append(set, key)
		}
	}
	slices.Sort(set)
	return set
}

// exactlyOne reports when none or several of the kinds are written at the path, whose value is v.
func (d *decoder) exactlyOne(path string, v any) bool {
	if n, there := d.at[path]; there && d.reported(n) {
		return false
	}
	known := keysOf(fieldsOf(reflect.TypeOf(v)))
	set := slices.DeleteFunc(slices.Sorted(slices.Values(known)),
		func(key string) bool { return d.at[join(path, key)] == nil })
	switch len(set) {
	case 0:
		d.fail(path, "want one of %s", strings.Join(known, ", "))
	case 1:
		return true
	default:
		d.fail(path, "%s contradict each other: want one", strings.Join(set, " and "))
	}
	return false
}

func (n *Nemesis) check(d *decoder, path string, size, largest int) {
	n.Fault.check(d, path+".fault")
	names := n.Fault.names()
	if n.Pick != (Pick{}) && len(names) > 0 && !n.Fault.some(func(t chaos.Traits) bool { return !t.Whole }) {
		d.fail(path+".pick", "nobody is picked for %s, on the target as a whole: leave pick out",
			strings.Join(names, " and "))
	}
	set := chosen(n.Pick)
	set = slices.DeleteFunc(set,
		func(k string) bool { return k == "role" || k == "state" || k == "phase" || k == "in" })
	if len(set) > 1 {
		d.fail(path+".pick", "%s contradict each other: want one", strings.Join(set, " and "))
	}
	if n.Pick.Slot != nil && size > 0 && int(*n.Pick.Slot) >= size {
		d.fail(path+".pick.slot", "slot %d of %d: slots count from 0", *n.Pick.Slot, size)
	}
	if n.Pick.State != "" && n.Pick.Phase != "" {
		d.fail(path+".pick.phase", "state and phase contradict each other: want one")
	}
	d.engine(path+".pick", path+".pick", n.Pick.engine().Validate())
	n.When.check(d, path+".when")
	if d.broken(path + ".when") {
		return // there is nothing to count
	}
	if most := n.most(largest); float64(n.Require.Confirmed) > most {
		d.fail(path+".require.confirmed",
			"%d confirmed injections cannot be reached: the schedule makes at most %.0f%s",
			n.Require.Confirmed, most, d.form)
	}
}

// engine reports what the engine would refuse in the part of the scenario at path, at the place in it that matters
// most, unless something is known to be wrong there.
func (d *decoder) engine(path, place string, err error) {
	if err == nil || d.broken(path) {
		return
	}
	for line := range strings.Lines(err.Error()) {
		d.fail(place, "%s", strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "when: "), "pick: "))
	}
}
