package chaos_test

import (
	"reflect"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// A replay finds a fault again by its one-line form, in a mix too: two that do different things must not share one.
func TestTheOneLineFormOfAFaultHasAllItsParameters(t *testing.T) {
	set := func(v reflect.Value) {
		switch v.Interface().(type) {
		case string:
			v.SetString("other")
		case float64:
			v.SetFloat(0.5)
		case bool:
			v.SetBool(true)
		default:
			v.SetInt(7)
		}
	}
	text := func(v reflect.Value) string { return v.Interface().(chaos.Fault).String() }
	for _, k := range faults.Kinds() {
		zero := reflect.New(reflect.TypeOf(k.Zero)).Elem()
		full := reflect.New(zero.Type()).Elem()
		for i := range full.NumField() {
			set(full.Field(i))
		}
		for i := range zero.NumField() {
			g := NewWithT(t)
			name := k.Name + "." + zero.Type().Field(i).Name
			alone := reflect.New(zero.Type()).Elem()
			set(alone.Field(i))
			g.Expect(text(alone)).NotTo(Equal(text(zero)), name)
			without := reflect.New(zero.Type()).Elem()
			without.Set(full)
			without.Field(i).SetZero()
			g.Expect(text(without)).NotTo(Equal(text(full)), name)
		}
	}
}

// read is the ledger of a history of those events.
func read(events ...history.Event) *ledger.Ledger {
	l := ledger.New(history.Header{})
	for i := range events {
		l.Add(i+2, &events[i])
	}
	return l
}

// traced is what a replay of that plan injects.
func traced(g *WithT, list []chaos.Nemesis, shots []chaos.Shot) []chaos.Shot {
	var events []history.Event
	for n, s := range shots {
		f := &history.Fault{
			N: n + 1, Nemesis: s.Nemesis, Op: history.Planned, Fault: s.Fault.String(), Due: s.At,
			Victim: &history.Victim{},
		}
		events = append(events, history.Event{Fault: f})
	}
	again, _, err := chaos.Trace(read(events...), list)
	g.Expect(err).NotTo(HaveOccurred())
	return again
}

func TestAReplayInjectsTheFaultsOfAMixAsTheyWereDrawn(t *testing.T) {
	g := NewWithT(t)
	list := []chaos.Nemesis{{
		Fault: chaos.Mixed{
			{1, faults.OOM{Limit: 64 << 20}},
			{1, faults.OOM{Limit: 512 << 20}},
			{1, faults.Spawn{Delay: time.Second}},
			{1, faults.Spawn{Delay: time.Second, For: time.Minute}},
		},
		When: chaos.When{Every: time.Second, Times: 20},
	}}
	shots := chaos.Plan(1, list)
	for i, s := range traced(g, list, shots) {
		g.Expect(s.Fault).To(Equal(shots[i].Fault))
	}
}

// What struck nobody is not planned again: it might strike somebody now. A fault on the target as a whole has no
// victim.
func TestAReplayLeavesOutWhatHadNoVictim(t *testing.T) {
	g := NewWithT(t)
	list := []chaos.Nemesis{
		{Fault: faults.Signal{Name: "KILL"}, Pick: chaos.Pick{Random: 2}}, {Fault: faults.Resize{To: 2}},
	}
	var events []history.Event
	for n, f := range []history.Fault{
		{Fault: "signal KILL", Victim: &history.Victim{Slot: 2}},
		{Fault: "signal KILL"}, // the floor was reached
		{Fault: "resize 2", Nemesis: 1},
	} {
		f.N, f.Op = n+1, history.Planned
		events = append(events, history.Event{Fault: &f})
	}
	shots, left, err := chaos.Trace(read(events...), list)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(left).To(Equal(1))
	g.Expect(shots).To(HaveLen(2))
	g.Expect(shots[0].Aims).To(Equal([]chaos.Aim{{Slot: 2}}))
	g.Expect(shots[1].Fault).To(Equal(list[1].Fault))
}

// Of what a record lacks the plan of, nobody knows when it was due.
func TestAReplayLeavesOutWhatHasNoPlanInTheRecord(t *testing.T) {
	g := NewWithT(t)
	struck := history.Fault{
		N: 1, Op: history.Injected, Fault: "signal KILL", Victim: &history.Victim{Slot: 2, PID: 7},
	}
	list := []chaos.Nemesis{{Fault: faults.Signal{Name: "KILL"}}}
	shots, left, err := chaos.Trace(read(history.Event{T: time.Second, Fault: &struck}), list)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(shots).To(BeEmpty())
	g.Expect(left).To(BeZero())
}
