package faults

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// Panic makes the victim's program panic where nothing recovers it. The evidence is its wait status, and the panic's
// message on its stderr.
type Panic struct {
	Text string `yaml:"text,scalar" doc:"What it panics with."`
}

func (p Panic) text() string { return cmp.Or(p.Text, "chaos") }

func (p Panic) String() string { return "panic " + p.text() }

// Validate wants one line.
func (p Panic) Validate() error {
	if strings.ContainsAny(p.Text, "\r\n") || len(p.Text) > 200 {
		return fmt.Errorf("panic %q: want one line of at most 200 bytes", p.Text)
	}
	return nil
}

// Traits implements chaos.Fault.
func (Panic) Traits() chaos.Traits { return chaos.Traits{} }

// Begin makes an injection.
func (p Panic) Begin() chaos.Injection { return &panicking{Panic: p} }

type panicking struct {
	stressing
	Panic
}

func (p *panicking) stress() chaos.Stress { return chaos.Stress{Kind: "panic", Text: p.text()} }

func (p *panicking) Inject(ctx context.Context, c *chaos.Case) error {
	p.begin(ctx, c, p.stress())
	return nil
}

func (p *panicking) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	e, err := p.ending(ctx, c)
	if err != nil {
		return history.Receipt{}, err
	}
	r := e.Receipt()
	if e.Known() && e.Signal == "" && e.Code == 0 {
		return r, fmt.Errorf("the victim was to panic, but ended with %s", e)
	}
	return r, marked(e, p.stress().Marker(), &r)
}
