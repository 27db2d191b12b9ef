package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/fleet/broker"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// TestAnOperatorIsToldInWords runs the commands against a fleet of one node.
func TestAnOperatorIsToldInWords(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	b, err := broker.Start(broker.Config{Port: -1})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = b.Close() })
	f, err := fleet.Dial(ctx, fleet.Config{Fleet: "respawn", Servers: b.URL(), InMemory: true})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = f.Close() })
	says := func(args ...string) string {
		var out bytes.Buffer
		g.Expect(respawnFleet(ctx, &out, append(args, "--servers", b.URL())...)).To(Succeed())
		return out.String()
	}
	waits := square.Submit(ctx, f, 7, pool.WithKey("invoice-17"))
	g.Eventually(func() string { return says("status", "--task", "invoice-17") }).WithTimeout(time.Minute).
		Should(ContainSubstring("stored: no node is there: start one"))
	g.Expect(says("pause")).To(Equal("paused; respawn-fleet resume goes on\n"))
	g.Expect(says("status", "--task", "invoice-17")).
		To(ContainSubstring("stored: the queue is paused: respawn-fleet resume goes on"))
	g.Expect(says("status")).To(And(ContainSubstring("the queue is paused:"),
		MatchRegexp(`owner %s \(pid %d on .*\): 1 outstanding, the oldest for`, f.ID(), os.Getpid())))
	g.Expect(says("purge", "--yes")).To(Equal("1 tasks settled by 1 owners, 0 removed of owners that are gone\n"))
	_, err = waits.Result(ctx)
	g.Expect(err).To(MatchError(fleet.ErrPurged))
	g.Expect(says("resume")).To(Equal("it goes on\n"))
	err = respawnFleet(ctx, &bytes.Buffer{}, "status", "--task", "invoice-17", "--servers", b.URL())
	g.Expect(err).To(MatchError(`no owner that answers has a task "invoice-17" that has not settled: 1 answered`))

	long := sleep.Submit(ctx, f, time.Hour)
	var s fleet.Status
	g.Expect(json.Unmarshal([]byte(says("status", "--json")), &s)).To(Succeed())
	g.Expect(s.Owners).To(ConsistOf(And(HaveField("ID", f.ID()), HaveField("Outstanding", 1))))
	g.Expect(long.Done()).NotTo(BeClosed())
	says("purge", "--yes")
}

// TestReasonsInWords has one row for each reason that a task or a node can have.
func TestReasonsInWords(t *testing.T) {
	g := NewWithT(t)
	here := &fleet.Status{Nodes: []fleet.NodeInfo{{Name: "a"}}}
	stored := fleet.TaskInfo{State: fleet.TaskStored}
	with := func(change func(*fleet.TaskInfo)) fleet.TaskInfo {
		t := stored
		change(&t)
		return t
	}
	for words, of := range map[string]struct {
		s *fleet.Status
		t fleet.TaskInfo
	}{
		"as many others":     {here, fleet.TaskInfo{State: fleet.TaskWaiting}},
		"has not confirmed":  {here, fleet.TaskInfo{State: fleet.TaskStoring}},
		"has not started":    {here, fleet.TaskInfo{State: fleet.TaskHeld}},
		"it runs":            {here, fleet.TaskInfo{State: fleet.TaskRunning}},
		"on the way":         {here, fleet.TaskInfo{State: fleet.TaskDone}},
		"paused for 5s":      {&fleet.Status{Paused: fleet.Milliseconds(5 * time.Second)}, stored},
		"no node is there":   {&fleet.Status{}, stored},
		"waits for the word": {here, with(func(t *fleet.TaskInfo) { t.OwnerBlind = true })},
		"runs again in 2s": {
			here,
			with(func(t *fleet.TaskInfo) { t.RunsIn = fleet.Milliseconds(2 * time.Second) }),
		},
		"7 others are before it":     {here, with(func(t *fleet.TaskInfo) { t.Ahead = 7 })},
		"do not come up":             {here, with(func(t *fleet.TaskInfo) { t.Returned = 1 })},
		`no program there registers`: {here, fleet.TaskInfo{State: fleet.TaskReturned, Misfit: "unknown task"}},
		"in another language": {
			here,
			fleet.TaskInfo{State: fleet.TaskReturned, Misfit: "other workers", RunsIn: 1},
		},
		"the next that a node": {here, stored},
	} {
		g.Expect(why(of.s, of.t)).To(ContainSubstring(words))
	}
	for words, n := range map[string]fleet.NodeInfo{
		"nobody listens at its address (3 times in a row)": {State: "suspect", Refusals: 3},
		"last heard 11s ago":         {State: "gone", Silent: fleet.Milliseconds(11 * time.Second)},
		"has taken its place":        {State: "ended"},
		"runs the suspected task 17": {State: "alive", Suspect: 17},
	} {
		g.Expect(suspicion(n)).To(ContainSubstring(words))
	}
	g.Expect(suspicion(fleet.NodeInfo{State: "alive"})).To(BeEmpty())
}

// TestDoctorJudges tries brokers that are not as they should be.
func TestDoctorJudges(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	file := filepath.Join(t.TempDir(), "nats.conf")
	g.Expect(os.WriteFile(file, []byte(`authorization { users: [
		{ user: all, password: x }
		{ user: mute, password: x, permissions: { publish: { deny: "respawn.t.>" } } }
	] }
	jetstream: { sync_interval: always }
	`), 0o600)).To(Succeed())
	b, err := broker.Start(broker.Config{Port: -1, Monitor: -1, File: file, MaxStore: 80 << 20})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = b.Close() })
	doctor := func(user string, args ...string) (string, error) {
		var out bytes.Buffer
		err := respawnFleet(t.Context(), &out,
			append([]string{"doctor", "--servers", "nats://" + user + ":x@" + b.URL()[len("nats://"):]}, args...)...)
		return out.String(), err
	}
	said, err := doctor("mute")
	g.Expect(err).To(MatchError(ContainSubstring("findings are bad")))
	g.Expect(said).To(ContainSubstring("bad   rights    may not publish to F.t.>, which the owner needs to submit"))

	said, err = doctor("all", "--monitor", b.MonitorURL(), "--json")
	g.Expect(err).NotTo(HaveOccurred())
	var told struct {
		Findings []finding
		Limits   fleet.Limits
		Links    []fleet.Link
	}
	g.Expect(json.Unmarshal([]byte(said), &told)).To(Succeed(), said)
	g.Expect(told.Links).
		To(ConsistOf(And(HaveField("Median", BeNumerically(">", 0)), HaveField("URL", Not(ContainSubstring(":x@"))))))
	g.Expect(told.Findings).To(ContainElements(
		And(HaveField("Check", "sync"), HaveField("Level", levelOK),
			HaveField("Text", HaveSuffix("syncs what it acknowledges"))),
		And(HaveField("Check", "rights"), HaveField("Level", levelNote)),
		And(HaveField("Check", "replicas"), HaveField("Level", levelNote)),
	))
	said, err = doctor("mute", "--role", "operator", "--monitor", "ftp://x")
	g.Expect(err).To(MatchError(MatchRegexp(`^1 of \d+ findings are bad$`)), said)
	g.Expect(said).To(And(ContainSubstring("want a URL such as http://10.0.0.1:8222"),
		ContainSubstring("may subscribe to F.o.*, which the operator does not need")))
	said, err = doctor("all", "--servers", b.URL()+",nats://all:x@127.0.0.1:1")
	g.Expect(err).To(HaveOccurred(), said)
}
