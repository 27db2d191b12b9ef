package faults

import (
	"testing"

	"github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// A signal is judged by how its victim ended.
func TestSignalsAreJudgedByTheEnd(t *testing.T) {
	exit := func(code int, stderr string) chaos.Ending {
		return chaos.Ending{Tier: chaos.TierWaitStatus, Code: code, Target: &history.Exit{Code: code, Stderr: stderr}}
	}
	died := func(signal string) chaos.Ending {
		return chaos.Ending{Tier: chaos.TierWaitStatus, Code: -1, Signal: signal}
	}
	for _, c := range []struct {
		signal  string
		end     chaos.Ending
		how     string
		outcome chaos.Outcome
	}{
		{"KILL", died("SIGKILL"), "died of it", chaos.Confirmed},
		{"KILL", chaos.Ending{Tier: chaos.TierReadable}, "ended after it", chaos.Confirmed},
		{"KILL", exit(0, ""), "it exited by itself just before", chaos.AlreadyGone},
		{"KILL", exit(3, ""), "ended otherwise", chaos.Unconfirmed},
		{"KILL", died("SIGSEGV"), "ended otherwise", chaos.Unconfirmed},
		{"SEGV", died("SIGSEGV"), "died of it", chaos.Confirmed},
		{"SEGV", exit(2, "SIGSEGV: segmentation violation"), "died of it: its runtime says so", chaos.Confirmed},
		{"SEGV", exit(2, "panic: something else"), "ended otherwise", chaos.Unconfirmed},
		{"SEGV", exit(0, "SIGSEGV"), "ended otherwise", chaos.Unconfirmed},
		{"SEGV", died("SIGKILL"), "ended otherwise", chaos.Unconfirmed},
		{"TERM", exit(0, ""), "drained and exited 0", chaos.Confirmed},
		{"TERM", died("SIGTERM"), "died of it", chaos.Confirmed},
		{"TERM", died("SIGKILL"), "escalated: it had to be killed", chaos.Confirmed},
		{"TERM", exit(143, ""), "exited 143", chaos.Confirmed},
		{"TERM", died("SIGSEGV"), "ended otherwise", chaos.Unconfirmed},
	} {
		g := gomega.NewWithT(t)
		how, err := (&signalling{Signal: Signal{Name: c.signal}}).judge(c.end)
		g.Expect(how).To(gomega.Equal(c.how), "%s: %s", c.signal, c.end)
		g.Expect(chaos.OutcomeOf(err)).To(gomega.Equal(c.outcome), "%s: %s", c.signal, c.end)
	}
}
