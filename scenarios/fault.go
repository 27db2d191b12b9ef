package scenarios

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
)

// Fault is what is done to a victim: a row of the table in package faults with its parameters, or one of several each
// time.
type Fault struct {
	Kind  string      // faults.Kind.Name, or "mixed"
	Fault chaos.Fault // of that kind; nil of a mix, and in a scenario with mistakes
	Mixed []Weighted
}

// Weighted is one of several faults.
type Weighted struct {
	Weight Count `yaml:"weight" zero:"never: want at least 1" doc:"Default 1."`
	Fault  Fault `yaml:"fault" doc:"The fault."`
}

// mixed is the key of several faults.
const mixed = "mixed"

var faultShape = sync.OnceValue(func() reflect.Type {
	var list []option
	for _, k := range faults.Kinds() {
		list = append(list, option{k.Name, k.Doc, reflect.PointerTo(reflect.TypeOf(k.Zero))})
	}
	return shapeFrom(append(list, option{mixed, "One of several each time, by weight.", reflect.TypeFor[[]Weighted]()}))
})

func (f *Fault) shape() reflect.Type { return faultShape() }

func (f *Fault) fill(v reflect.Value) {
	key, value := taken(v)
	f.Kind = key
	if f.Mixed, _ = value.([]Weighted); f.Mixed == nil && key != "" {
		f.Fault, _ = reflect.ValueOf(value).Elem().Interface().(chaos.Fault)
	}
}

// engine is the fault for the engine.
func (f Fault) engine() chaos.Fault {
	if f.Mixed == nil {
		return f.Fault
	}
	mix := chaos.Mixed{}
	for _, w := range f.Mixed {
		mix = append(mix, chaos.Weighted{Fault: w.Fault.engine(), Weight: max(int(w.Weight), 1)})
	}
	return mix
}

// each are the faults that it can be, in a mix those in it, by the path of each; path is its own.
func (f Fault) each(path string) iter.Seq2[string, Fault] {
	return func(yield func(string, Fault) bool) {
		if f.Fault != nil {
			yield(join(path, f.Kind), f)
			return
		}
		for i, w := range f.Mixed {
			for at, one := range w.Fault.each(fmt.Sprintf("%s.mixed.%d.fault", path, i)) {
				if !yield(at, one) {
					return
				}
			}
		}
	}
}

// names are those of the faults that it can be, each once.
func (f Fault) names() (list []string) {
	for _, one := range f.each("") {
		if !slices.Contains(list, one.Kind) {
			list = append(list, one.Kind)
		}
	}
	return list
}

// some tells whether it can be a fault of which the traits hold.
func (f Fault) some(holds func(chaos.Traits) bool) bool {
	for _, one := range f.each("") {
		if holds(one.Fault.Traits()) {
			return true
		}
	}
	return false
}

// ofOne tells whether an injection of the fault strikes its victim alone, so that it gives one sample.
func (f Fault) ofOne() bool { return !f.some(func(t chaos.Traits) bool { return t.Whole }) }

// enlarges tells whether the target may have another number of members afterwards, and not none.
func (f Fault) enlarges() bool {
	return f.some(func(t chaos.Traits) bool { return t.Resizes && t.Leaves > 0 })
}

func (f Fault) check(d *decoder, path string) {
	if !d.exactlyOne(path, f) {
		return
	}
	place := join(path, f.Kind)
	switch {
	case f.Kind == mixed && len(f.Mixed) == 0:
		d.engine(place, place, chaos.Mixed{}.Validate())
	case f.Kind == mixed, d.broken(place):
	case f.Fault.Traits().Idle:
		d.fail(place, "%s does nothing by default: use one that ends a process, or the fault pause", f.Fault)
	default:
		d.engine(place, join(place, scalarOf(reflect.TypeOf(f.Fault))), f.Fault.Validate())
	}
	for i, w := range f.Mixed {
		at := fmt.Sprintf("%s.mixed.%d.fault", path, i)
		w.Fault.check(d, at)
		if w.Fault.Mixed != nil {
			d.fail(at, "mixed within mixed: one level is enough")
		}
	}
}

// scalarOf is the key of the field that a plain word in the struct's place sets; "" without one.
func scalarOf(t reflect.Type) string {
	for _, f := range fieldsOf(t) {
		if f.scalar {
			return f.key
		}
	}
	return ""
}

// checkFloor refuses what would leave fewer members alive than min_alive.
func (f Fault) checkFloor(d *decoder, path string, least Count) {
	for at, one := range f.each(path) {
		if t := one.Fault.Traits(); t.Resizes && t.Leaves < int(least) && one.Fault.Validate() == nil {
			d.fail(at, "%s leaves fewer members alive than min_alive, %d", one.Kind, least)
		}
	}
}

// checkAbility refuses a fault that is none of those that can be done to a target of that kind.
func (f Fault) checkAbility(d *decoder, path, kind string, can []string) {
	for at, one := range f.each(path) {
		if !slices.Contains(can, one.Kind) {
			d.fail(at, "a %s target cannot have the fault %s: it can have %s", kind, one.Kind, strings.Join(can, ", "))
		}
	}
}
