package scenarios

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/scenarios/targets"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// Target is what is tested: a row of the table in package targets, and what the file says of it.
type Target struct {
	Kind     string        // kind.Kind.Name
	Settings kind.Settings // nil in a scenario with mistakes
}

var targetShape = sync.OnceValue(func() reflect.Type {
	var list []option
	for _, k := range targets.Kinds() {
		list = append(list, option{k.Name, k.Doc, reflect.TypeOf(k.New())})
	}
	return shapeFrom(list)
})

func (t *Target) shape() reflect.Type { return targetShape() }

func (t *Target) fill(v reflect.Value) {
	key, value := taken(v)
	t.Kind = key
	t.Settings, _ = value.(kind.Settings)
}

// members is how many the target is to have, 0 if the file does not say.
func (t Target) members() int {
	if t.Settings == nil {
		return 0
	}
	return t.Settings.Members()
}

// most is how many members the target may have where it changes that itself; 0 if the file does not say.
func (t Target) most() int {
	if r, ok := t.Settings.(kind.Ranged); ok {
		return r.Most()
	}
	return 0
}

// spawns tells whether it starts a program that the scenario names.
func (t Target) spawns() bool {
	r, ok := t.Settings.(kind.Runner)
	return targets.Of(t.Kind).Spawns || ok && r.Runs()
}

// checkTarget returns how many members the target is to have, 0 when the file does not say.
func (s *Scenario) checkTarget(d *decoder) int {
	if _, ok := d.at["target"]; !ok {
		d.fail("target", "target is missing: want for example target: {pool: {size: 4}}")
		return 0
	}
	if !d.exactlyOne("target", s.Target) {
		return 0
	}
	s.Target.Settings.Check(func(key, format string, args ...any) {
		d.fail(strings.TrimSuffix("target."+s.Target.Kind+"."+key, "."), format, args...)
	})
	return s.Target.members()
}

// checkLimits refuses what targets with these settings cannot have, though others of their kind can.
func (s *Scenario) checkLimits(d *decoder, limited kind.Limited) {
	for i, n := range s.Chaos {
		at := "chaos." + Count(i).String()
		for _, fault := range n.Fault.names() {
			if why := limited.Refuses(fault, ""); why != "" {
				d.fail(at+".fault", "a target with these settings cannot have the fault %s: %s", fault, why)
			}
		}
		if why := limited.Refuses("", n.Pick.Phase); why != "" {
			d.fail(at+".pick.phase", "victims cannot be picked in the phase %s: %s", n.Pick.Phase, why)
		}
	}
}

// checkAbilities refuses what targets of that kind cannot do.
func (s *Scenario) checkAbilities(d *decoder) {
	name, can := s.Target.Kind, targets.Of(s.Target.Kind).Can
	if limited, ok := s.Target.Settings.(kind.Limited); ok {
		s.checkLimits(d, limited)
	}
	for i, n := range s.Chaos {
		if role := n.Pick.Role; name != "" && role != "" && !slices.Contains(can.Roles, role) {
			d.fail(fmt.Sprintf("chaos.%d.pick.role", i), "the members of a %s target have no roles: leave it out", name)
		}
	}
	if name == "" || can.All {
		return
	}
	var able []string
	for _, k := range faults.Kinds() {
		has := k.Needs == "" || slices.Contains(can.Abilities, k.Needs)
		if has && (can.Faults == nil || slices.Contains(can.Faults, k.Name)) {
			able = append(able, k.Name)
		}
	}
	for i, n := range s.Chaos {
		n.Fault.checkAbility(d, "chaos."+Count(i).String()+".fault", name, able)
	}
	if s.Load == nil {
		return
	}
	if _, known := taskArgs[s.Load.Task]; known && !slices.Contains(can.Tasks, s.Load.Task) {
		knows := "none of the built-in tasks"
		if len(can.Tasks) > 0 {
			knows = strings.Join(can.Tasks, " and ")
		}
		d.fail("load.task", "a %s target cannot run the task %s: it knows %s", name, s.Load.Task, knows)
	}
	if s.Load.Map > 0 && !can.Map {
		d.fail("load.map", "a %s target has no ordered map: use concurrency", name)
	}
}
