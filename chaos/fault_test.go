package chaos

import (
	"context"
	"errors"
	"testing"

	"github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/history"
)

// steps is an injection that notes what is called and does in one step what it is told.
type steps struct {
	called  []string
	at      string
	do      func() error
	healing []error // the state of Heal's and Cleanup's contexts
}

func (s *steps) step(name string) error {
	s.called = append(s.called, name)
	if name == s.at {
		return s.do()
	}
	return nil
}

func (s *steps) Setup(context.Context, *Case) error  { return s.step("setup") }
func (s *steps) Inject(context.Context, *Case) error { return s.step("inject") }
func (s *steps) Confirm(context.Context, *Case) (history.Receipt, error) {
	return history.Receipt{Tier: "test"}, s.step("confirm")
}

func (s *steps) Heal(ctx context.Context, _ *Case) error {
	s.healing = append(s.healing, ctx.Err())
	return s.step("heal")
}

func (s *steps) Cleanup(ctx context.Context, _ *Case) error {
	s.healing = append(s.healing, ctx.Err())
	return s.step("cleanup")
}

// Whatever happens in an injection's life, Heal follows Inject and Cleanup follows Setup, and the first error decides.
func TestLifeCycle(t *testing.T) {
	all := []string{"setup", "inject", "confirm", "heal", "cleanup"}
	oops := errors.New("oops")
	fail := func(err error) func() error { return func() error { return err } }
	for _, c := range []struct {
		name    string
		at      string
		do      func() error
		called  []string
		outcome Outcome
		heal    error
	}{
		{"all is well", "", nil, all, Confirmed, nil},
		{"refused", "setup", fail(Refuse("no")), []string{"setup", "cleanup"}, Refused, ErrNothingToHeal},
		{"gone before", "setup", fail(ErrGone), []string{"setup", "cleanup"}, AlreadyGone, ErrNothingToHeal},
		{"gone meanwhile", "inject", fail(ErrGone), []string{"setup", "inject", "heal", "cleanup"}, AlreadyGone, nil},
		{
			"missed", "inject", fail(&MissedError{"too late"}),
			[]string{"setup", "inject", "heal", "cleanup"},
			Missed, nil,
		},
		{"half done", "inject", fail(oops), []string{"setup", "inject", "heal", "cleanup"}, Unconfirmed, nil},
		{"no evidence", "confirm", fail(oops), all, Unconfirmed, nil},
		{
			"panic in setup", "setup", func() error { panic(oops) },
			[]string{"setup", "cleanup"},
			Unconfirmed, ErrNothingToHeal,
		},
		{
			"panic in inject", "inject", func() error { panic(oops) },
			[]string{"setup", "inject", "heal", "cleanup"},
			Unconfirmed, nil,
		},
		{"panic in confirm", "confirm", func() error { panic(oops) }, all, Unconfirmed, nil},
		{"not healed", "heal", fail(oops), all, Confirmed, oops},
		{"panic in heal", "heal", func() error { panic("heal") }, all, Confirmed, &PanicError{}},
		{"not cleaned up", "cleanup", fail(oops), all, Confirmed, oops},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			s := &steps{at: c.at, do: c.do}
			settled := 0
			err := live(t.Context(), s, &Case{}, func(r history.Receipt, err error) {
				settled++
				g.Expect(OutcomeOf(err)).To(gomega.Equal(c.outcome), "%v", err)
				g.Expect(s.called).NotTo(gomega.ContainElement("heal"), "it is settled before it is healed")
			})
			g.Expect(settled).To(gomega.Equal(1))
			g.Expect(s.called).To(gomega.Equal(c.called))
			var panicked *PanicError
			switch {
			case c.heal == nil:
				g.Expect(err).NotTo(gomega.HaveOccurred())
			case errors.As(c.heal, &panicked):
				g.Expect(errors.As(err, &panicked)).To(gomega.BeTrue())
				g.Expect(panicked.Stack).To(gomega.ContainSubstring("fault_test.go"))
			default:
				g.Expect(err).To(gomega.MatchError(c.heal))
			}
		})
	}
}

// An interrupted injection is healed under a context that is not interrupted.
func TestHealingIsNotInterrupted(t *testing.T) {
	g := gomega.NewWithT(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := &steps{at: "confirm", do: func() error { cancel(); return ctx.Err() }}
	g.Expect(live(ctx, s, &Case{}, func(history.Receipt, error) {})).To(gomega.Succeed())
	g.Expect(s.healing).To(gomega.Equal([]error{nil, nil}))

	s = &steps{}
	g.Expect(live(ctx, s, &Case{}, func(_ history.Receipt, err error) {
		g.Expect(err).To(gomega.MatchError(context.Canceled))
	})).To(gomega.MatchError(ErrNothingToHeal))
	g.Expect(s.called).To(gomega.Equal([]string{"setup", "cleanup"}), "nothing is injected after the end")
}
