package fleet_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// users is a broker's configuration with a user for each role, who may do what the table says and nothing else; lacking
// leaves rights out.
func users(without map[string]func(fleet.Right) bool) string {
	var b strings.Builder
	b.WriteString("authorization { users: [\n")
	for name, lacks := range without {
		role, _, _ := strings.Cut(name, "-")
		list := map[fleet.Verb][]string{}
		for _, r := range fleet.Rights() {
			if string(r.Role) == role && !lacks(r) {
				list[r.Verb] = append(list[r.Verb], fmt.Sprintf("%q", r.In("test")))
			}
		}
		fmt.Fprintf(&b, "{ user: %q, password: x, permissions: { publish: [%s], subscribe: [%s] } }\n", name,
			strings.Join(list[fleet.Publish], ","), strings.Join(list[fleet.Subscribe], ","))
	}
	b.WriteString("] }\n")
	return b.String()
}

func none(fleet.Right) bool { return false }

func as(user string) []nats.Option { return []nats.Option{nats.UserInfo(user, "x")} }

// TestTheTableOfRightsIsEnough runs a fleet whose owner, node and operator may do what the table says, through all that
// they do.
func TestTheTableOfRightsIsEnough(t *testing.T) {
	takes.Seconds(t)
	t.Parallel() // it waits for hellos
	g := NewWithT(t)
	b := configured(t, users(map[string]func(fleet.Right) bool{"owner": none, "node": none, "operator": none}))
	c := fleet.Config{Fleet: "test", Servers: b.URL(), Options: as("owner"), InMemory: true}
	f := dial(t, c)
	node := fleet.Node{Fleet: "test", Servers: b.URL(), Options: as("node"), Name: "here", Pool: pool.Config{Size: 1}}
	served := make(chan error, 1)
	go func() { served <- fleet.Serve(bound(t), node) }()
	g.Expect(square.Call(bound(t), f, 7)).To(Equal(49))
	large := make([]byte, 2<<20)
	g.Expect(echo.Call(bound(t), f, large)).To(HaveLen(len(large)), "in parts, both ways")
	g.Expect(fleet.Serve(bound(t), node)).To(MatchError(fleet.ErrNameTaken))

	operator := c
	operator.Options = as("operator")
	g.Expect(fleet.Pause(bound(t), operator, 0)).To(Succeed())
	cancelled, cancel := context.WithCancel(bound(t))
	first, second := square.Submit(cancelled, f, 1), square.Submit(bound(t), f, 2)
	var s *fleet.Status
	g.Eventually(func(g Gomega) {
		var err error
		s, err = fleet.ReadTask(bound(t), operator, fmt.Sprintf("%s.%d", f.ID(), second.TaskID()))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(s.Tasks).To(HaveLen(1))
		g.Expect(s.Tasks[0].State).To(Equal(fleet.TaskStored))
	}).WithTimeout(patience).Should(Succeed())
	cancel()
	_, err := first.Result(bound(t))
	g.Expect(err).To(MatchError(context.Canceled), "and its message is deleted")
	_, err = fleet.Purge(bound(t), operator)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = second.Result(bound(t))
	g.Expect(err).To(MatchError(fleet.ErrPurged))
	g.Expect(fleet.Resume(bound(t), operator)).To(Succeed())
	g.Expect(square.Call(bound(t), f, 3)).To(Equal(9))
	g.Expect(fleet.Drain(bound(t), operator, "here")).To(Equal(1))
	g.Expect(<-served).To(Succeed())
	g.Expect(f.Close()).To(Succeed())
}

// TestARightThatIsMissingIsNamed takes one right after the other away from who needs it.
func TestARightThatIsMissingIsNamed(t *testing.T) {
	g := NewWithT(t)
	all := fleet.Rights()
	lacking := map[string]func(fleet.Right) bool{"owner": none, "node": none, "operator": none}
	for i, r := range all {
		lacking[fmt.Sprintf("%s-%d", r.Role, i)] = func(other fleet.Right) bool { return other == r }
	}
	b := configured(t, users(lacking))
	try := func(user string, role fleet.Role) (missing, beyond []string) {
		tried, err := fleet.TryRights(bound(t), fleet.Config{Fleet: "test", Servers: b.URL(), Options: as(user)}, role)
		g.Expect(err).NotTo(HaveOccurred())
		for _, x := range tried {
			switch {
			case x.Needed && !x.Allowed:
				missing = append(missing, string(x.Verb)+" "+x.Subject)
			case !x.Needed && x.Allowed:
				beyond = append(beyond, string(x.Verb)+" "+x.Subject)
			}
		}
		return missing, beyond
	}
	for i, r := range all {
		missing, beyond := try(fmt.Sprintf("%s-%d", r.Role, i), r.Role)
		want := []string{string(r.Verb) + " " + r.Subject}
		g.Expect(missing).To(Equal(want))
		g.Expect(beyond).To(BeEmpty())
	}
	_, beyond := try("owner", fleet.RoleNode)
	g.Expect(beyond).To(ContainElement("publish F.t.>"), "a node with an owner's credentials")
	_, err := fleet.TryRights(bound(t), fleet.Config{Fleet: "test", Servers: b.URL(), Options: as("owner")}, "king")
	g.Expect(err).To(MatchError(ContainSubstring("want owner, node or operator")))
}

// TestTryingRightsChangesNothing has somebody who may do all try all, under a fleet that works.
func TestTryingRightsChangesNothing(t *testing.T) {
	g := NewWithT(t)
	b := listening(t)
	c := fleet.Config{Fleet: "test", Servers: b.URL(), InMemory: true}
	f := dial(t, c)
	waits := square.Submit(bound(t), f, 7)
	g.Eventually(func() uint64 { return stored(t, c) }).WithTimeout(patience).Should(Equal(uint64(1)))
	for _, role := range []fleet.Role{fleet.RoleOwner, fleet.RoleNode, fleet.RoleOperator} {
		tried, err := fleet.TryRights(bound(t), c, role)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(tried).To(HaveEach(HaveField("Allowed", true)))
	}
	g.Expect(stored(t, c)).To(Equal(uint64(1)))
	serve(t, fleet.Node{Fleet: "test", Servers: b.URL(), Name: "here", Pool: pool.Config{Size: 1}})
	g.Expect(waits.Result(bound(t))).To(Equal(49))
	g.Expect(waits.Outcome().Attempts).To(Equal(1))
}

// TestThePageListsTheRights compares docs/fleet.md with the table.
func TestThePageListsTheRights(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "fleet.md"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	var want strings.Builder
	want.WriteString("| role | may | subject | for | who else may do that can |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range fleet.Rights() {
		fmt.Fprintf(&want, "| %s | %s | `%s` | %s | %s |\n", r.Role, r.Verb, r.Subject, r.For, r.Abuse)
	}
	if !strings.Contains(string(page), want.String()) {
		t.Errorf("docs/fleet.md has another table of rights than fleet.Rights; put this one there:\n%s", want.String())
	}
}

// stored is how many messages the queue has.
func stored(t *testing.T, c fleet.Config) uint64 {
	t.Helper()
	return stream(t, c).State.Msgs
}

// stream is the queue, as the broker describes it.
func stream(t *testing.T, c fleet.Config) *jetstream.StreamInfo {
	t.Helper()
	s, done := queue(t, c)
	defer done()
	return s.CachedInfo()
}

// queue is the queue, by a connection that lasts until done.
func queue(t *testing.T, c fleet.Config) (s jetstream.Stream, done func()) {
	t.Helper()
	g := NewWithT(t)
	nc, err := nats.Connect(c.Servers, c.Options...)
	g.Expect(err).NotTo(HaveOccurred())
	js, err := jetstream.New(nc)
	g.Expect(err).NotTo(HaveOccurred())
	s, err = js.Stream(bound(t), c.Fleet)
	g.Expect(err).NotTo(HaveOccurred())
	return s, nc.Close
}

// TestAnOperatorSeesWhyATaskWaitsAndPausesAndPurges follows one owner's tasks through what may hold them up.
func TestAnOperatorSeesWhyATaskWaitsAndPausesAndPurges(t *testing.T) {
	t.Parallel() // it waits for hellos
	g := NewWithT(t)
	b := listening(t)
	c := fleet.Config{Fleet: "test", Servers: b.URL(), InMemory: true}
	f := dial(t, c)
	serve(t, fleet.Node{Fleet: "test", Servers: b.URL(), Name: "here", Pool: pool.Config{Size: 1}})
	g.Expect(square.Call(bound(t), f, 7)).To(Equal(49))
	path := filepath.Join(t.TempDir(), "ran")
	ctx, cancel := context.WithCancel(bound(t))
	runs := run.Submit(ctx, f, work{Path: path, N: 1, Length: patience}, pool.WithKey("invoice-17"))
	g.Eventually(path).WithTimeout(patience).Should(BeAnExistingFile())
	g.Expect(fleet.Pause(bound(t), c, 0)).To(Succeed())
	for n := range 3 {
		run.Submit(bound(t), f, work{Path: path, N: 10 + n})
	}
	last := run.Submit(bound(t), f, work{Path: path, N: 2})

	g.Eventually(f.Nodes).WithTimeout(patience).Should(ConsistOf(HaveField("Held", 1)), "it has been told of")
	var byKey *fleet.Status
	read := make(chan error)
	go func() { // beside the other. That it runs its node tells a little later.
		var err error
		for err == nil && (byKey == nil || len(byKey.Tasks) == 1 && byKey.Tasks[0].State == fleet.TaskHeld) {
			byKey, err = fleet.ReadTask(bound(t), c, "invoice-17")
		}
		read <- err
	}()
	var s *fleet.Status
	g.Eventually(func(g Gomega) {
		var err error
		s, err = fleet.ReadTask(bound(t), c, fmt.Sprint(last.TaskID()))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(s.Tasks).To(HaveExactElements(HaveField("State", fleet.TaskStored)))
	}).WithTimeout(patience).Should(Succeed())
	g.Expect(<-read).NotTo(HaveOccurred())
	g.Expect(byKey.Tasks).To(HaveLen(1))
	it := byKey.Tasks[0]
	g.Expect(it.State).To(Equal(fleet.TaskRunning))
	g.Expect(it).To(And(HaveField("Owner", f.ID()), HaveField("ID", runs.TaskID()), HaveField("Task", "run"),
		HaveField("Delivery", "at least once")))
	g.Expect(it.Holders).
		To(ConsistOf(And(HaveField("Name", "here"), HaveField("State", "alive"), HaveField("Task", fleet.TaskRunning))))
	g.Expect(s.Tasks).To(HaveLen(1))
	g.Expect(s.Tasks[0]).To(And(HaveField("State", fleet.TaskStored), HaveField("Ahead", uint64(3)),
		HaveField("Try", 1)))
	g.Expect(s.Paused).To(BeNumerically(">", 0))
	g.Expect(s.Owners).To(ConsistOf(And(HaveField("ID", f.ID()), HaveField("Answers", true),
		HaveField("Outstanding", 5), HaveField("Stored", uint64(5)),
		HaveField("Oldest", BeNumerically(">", 0)))))

	nobody := gone(t, b.URL())
	p, err := fleet.Purge(bound(t), c)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(p).To(Equal(fleet.Purged{Settled: 4, Removed: 1, Owners: 1}), "and what %s had left there", nobody)
	_, err = last.Result(bound(t))
	g.Expect(err).To(MatchError(fleet.ErrPurged))
	g.Expect(runs.Done()).NotTo(BeClosed(), "what runs goes on")
	cancel()

	waits := square.Submit(bound(t), f, 5)
	g.Consistently(waits.Done()).ShouldNot(BeClosed(), "it is paused still")
	g.Expect(fleet.Resume(bound(t), c)).To(Succeed())
	g.Expect(waits.Result(bound(t))).To(Equal(25))
	g.Expect(os.ReadFile(path)).To(Equal(fmt.Appendf(nil, "1 %d\n", os.Getpid())), "none of the purged has run")
	g.Expect(fleet.Pause(bound(t), c, 300*time.Millisecond)).To(Succeed())
	g.Expect(square.Call(bound(t), f, 6)).To(Equal(36), "a pause ends by itself")
}

// gone is an owner that has left a task in the queue and is not there.
func gone(t *testing.T, servers string) (id string) {
	t.Helper()
	g := NewWithT(t)
	nc, err := nats.Connect(servers)
	g.Expect(err).NotTo(HaveOccurred())
	defer nc.Close()
	js, err := jetstream.New(nc)
	g.Expect(err).NotTo(HaveOccurred())
	subjects := stream(t, fleet.Config{Fleet: "test", Servers: servers}).Config.Subjects[0]
	_, err = js.Publish(bound(t), strings.TrimSuffix(subjects, ">")+"default.0123456789abcdef", []byte("a task"))
	g.Expect(err).NotTo(HaveOccurred())
	return "0123456789abcdef"
}

// TestATaskThatNobodyKnowsSaysSo looks at one that nodes give back.
func TestATaskThatNobodyKnowsSaysSo(t *testing.T) {
	t.Parallel() // it waits for hellos
	g := NewWithT(t)
	b := listening(t)
	c := fleet.Config{Fleet: "test", Servers: b.URL(), InMemory: true}
	f := dial(t, c)
	serve(t, fleet.Node{Fleet: "test", Servers: b.URL(), Name: "here", Pool: pool.Config{Size: 1}})
	ctx, cancel := context.WithCancel(bound(t))
	defer cancel()
	fut := pySquare.Submit(ctx, f, 7)
	g.Eventually(func() []fleet.TaskInfo {
		s, err := fleet.ReadTask(bound(t), c, fmt.Sprint(fut.TaskID()))
		g.Expect(err).NotTo(HaveOccurred())
		return s.Tasks
	}).WithTimeout(patience).
		Should(ConsistOf(And(HaveField("Returned", BeNumerically(">", 0)), HaveField("Misfit", "other workers"))))
	_, err := fleet.ReadTask(bound(t), c, "")
	g.Expect(err).To(MatchError(ContainSubstring("want its number, OWNER.NUMBER, or its key")))
	g.Expect(fleet.Pause(bound(t), c, -1)).To(MatchError(ContainSubstring("want a positive duration")))
	other := c
	other.Fleet = "nobody"
	g.Expect(fleet.Resume(bound(t), other)).To(MatchError(fleet.ErrNoFleet))
}
