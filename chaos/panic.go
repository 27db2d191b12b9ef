package chaos

import (
	"context"
	"fmt"
	"strings"

	"github.com/respawn-go/respawn/chaos/history"
)

// Panic makes the victim's program panic where nothing recovers it. The evidence is its wait status, and the panic's
// message on its stderr.
type Panic struct {
	Text string `doc:"What it panics with, one line. Default: chaos."`
}

func (p Panic) text() string {
	if p.Text == "" {
		return "chaos"
	}
	return p.Text
}

func (p Panic) String() string { return "panic " + p.text() }

// Validate wants one line.
func (p Panic) Validate() error {
	if strings.ContainsAny(p.Text, "\r\n") || len(p.Text) > 200 {
		return fmt.Errorf("panic %q: want one line of at most 200 bytes", p.Text)
	}
	return nil
}

// Traits implements chaos.Fault.
func (Panic) Traits() Traits { return Traits{} }

// Begin makes an injection.
func (p Panic) Begin() Injection { return &panicking{Panic: p} }

type panicking struct {
	stressing
	Panic
}

func (p *panicking) stress() Stress { return Stress{Kind: "panic", Text: p.text()} }

func (p *panicking) Inject(ctx context.Context, c *Case) error {
	p.begin(ctx, c, p.stress())
	return nil
}

func (p *panicking) Confirm(ctx context.Context, c *Case) (history.Receipt, error) {
	e, err := p.ending(ctx, c)
	if err != nil {
		return history.Receipt{}, err
	}
	r := e.Receipt()
	if e.Known() && e.Signal == "" && e.Code == 0 {
		return r, fmt.Errorf("the victim was to panic, but ended with %s", e)
	}
	return r, e.marked(p.stress().Marker(), &r)
}
