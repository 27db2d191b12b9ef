package scenarios

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/internal/nearest"
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
		s.Chaos[i].check(d, fmt.Sprintf("chaos.%d", i), size)
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
	if size == 0 || slices.ContainsFunc(s.Chaos, func(n Nemesis) bool { return n.Fault.Resize != nil }) {
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
	set := slices.DeleteFunc(slices.Sorted(slices.Values(known)), func(key string) bool { return d.at[join(path, key)] == nil })
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

// checkAbility refuses a fault that is none of those that can be done to such a target.
func (f *Fault) checkAbility(d *decoder, path, kind string, can []string) {
	for i := range f.Mixed {
		f.Mixed[i].Fault.checkAbility(d, fmt.Sprintf("%s.mixed.%d.fault", path, i), kind, can)
	}
	for _, name := range chosen(*f) {
		if name != "mixed" && !slices.Contains(can, name) {
			d.fail(path+"."+name, "a %s target cannot have the fault %s: it can have %s", kind, name, strings.Join(can, ", "))
		}
	}
}

func (n *Nemesis) check(d *decoder, path string, size int) {
	n.Fault.check(d, path+".fault")
	if names := n.Fault.names(); n.Pick != (Pick{}) && len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return !isWhole(name) }) {
		d.fail(path+".pick", "nobody is picked for %s, on the target as a whole: leave pick out", strings.Join(names, " and "))
	}
	set := chosen(n.Pick)
	set = slices.DeleteFunc(set, func(k string) bool { return k == "state" || k == "phase" })
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
	if most := n.most(size); float64(n.Require.Confirmed) > most {
		d.fail(path+".require.confirmed", "%d confirmed injections cannot be reached: the schedule makes at most %.0f%s", n.Require.Confirmed, most, d.form)
	}
}

// engine reports what the engine would refuse in the part of the scenario at path, at the place in it that matters most, unless
// something is known to be wrong there.
func (d *decoder) engine(path, place string, err error) {
	if err == nil || d.broken(path) {
		return
	}
	for line := range strings.Lines(err.Error()) {
		d.fail(place, "%s", strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "when: "), "pick: "))
	}
}

func (f Fault) check(d *decoder, path string) {
	if !d.exactlyOne(path, f) {
		return
	}
	key := chosen(f)[0]
	place := join(path, key)
	for _, p := range fieldsOf(reflect.TypeOf(f).Field(fieldsOf(reflect.TypeOf(f))[key].index).Type.Elem()) {
		if p.scalar {
			place = join(place, p.key)
		}
	}
	switch {
	case d.broken(join(path, key)) && f.Mixed == nil:
	case f.Signal != nil && signalNumber(f.Signal.Name) == 0:
		d.fail(path+".signal", "unknown signal %q: %s", f.Signal.Name, nearest.Meant(f.Signal.Name, commonSignals))
	case f.Signal != nil && idle(f.Signal.Name):
		d.fail(path+".signal", "signal %s does nothing by default: use one that ends a process, or the fault pause", f.Signal.Name)
	case f.Supervisor != nil && idle(f.Supervisor.Signal):
		d.fail(path+".supervisor", "signal %s does nothing by default: use one that ends a process", f.Supervisor.Signal)
	case f.Spawn != nil && f.Spawn.Fail == 0 && f.Spawn.Delay == 0:
		d.fail(path+".spawn", "want fail (so many boots) or delay")
	case f.Resize != nil && f.Resize.To == 0:
		d.fail(path+".resize", "to is missing: the new size, from 1")
	case f.Crashpoint != nil && f.Crashpoint.At == "":
		d.fail(path+".crashpoint", "at is missing: want a crash point such as mid-write")
	case len(f.Mixed) == 0:
		_, err := faultOf(f)
		d.engine(join(path, key), place, err)
	}
	for i, w := range f.Mixed {
		w.Fault.check(d, fmt.Sprintf("%s.mixed.%d.fault", path, i))
		if len(w.Fault.Mixed) > 0 {
			d.fail(fmt.Sprintf("%s.mixed.%d.fault", path, i), "mixed within mixed: one level is enough")
		}
	}
}

// checkFloor refuses what would leave fewer members alive than min_alive.
func (f Fault) checkFloor(d *decoder, path string, least Count) {
	for i, w := range f.Mixed {
		w.Fault.checkFloor(d, fmt.Sprintf("%s.mixed.%d.fault", path, i), least)
	}
	ends := f.Close != nil || f.Terminate != nil || f.Supervisor != nil
	if f.Resize != nil && f.Resize.To > 0 && f.Resize.To < least || ends && least > 0 {
		name := chosen(f)[0]
		d.fail(join(path, name), "%s leaves fewer members alive than min_alive, %d", name, least)
	}
}

// idle tells whether a signal does nothing to a program that does not ask for it: that one has taken it proves nothing.
func idle(signal string) bool {
	return slices.Contains([]string{"URG", "CHLD", "CLD", "WINCH", "CONT"}, strings.TrimPrefix(strings.ToUpper(signal), "SIG"))
}
