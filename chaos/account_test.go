package chaos_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// keeper is a target whose brokers keep a task until some time has passed.
type keeper struct {
	chaos.Target
	brokers int
	until   time.Time
}

func (k keeper) Describe() history.Target { return history.Target{Brokers: k.brokers} }

func (k keeper) Account(context.Context) (*history.Account, error) {
	if time.Now().Before(k.until) {
		return &history.Account{Stored: 1}, nil
	}
	return &history.Account{}, nil
}

// One broker hands out again what a member had, after half a minute; several take out what was acknowledged while one
// that led ended, after two and a half.
func TestBrokersAreGivenTheTimeToTakeOutWhatTheyKeep(t *testing.T) {
	for name, c := range map[string]struct {
		brokers int
		keeps   time.Duration
		left    int
	}{
		"one, half a minute":          {1, 31 * time.Second, 0},
		"one, a minute":               {1, time.Minute, 1},
		"three, two and a half":       {3, 150 * time.Second, 0},
		"three, longer than they may": {3, 5 * time.Minute, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewWithT(t)
				all := chaos.Accounts(keeper{brokers: c.brokers, until: time.Now().Add(c.keeps)})
				g.Expect(all).To(HaveLen(1))
				g.Expect(all[0].Left()).To(Equal(c.left))
			})
		})
	}
}
