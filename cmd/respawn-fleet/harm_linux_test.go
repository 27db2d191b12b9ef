package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/localfleet"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// The kernel's OOM killer ends the node and not the worker, on both versions of cgroups, and only the task that took
// the memory is blamed.
func TestANodeIsEndedForTheMemoryThatATaskTakes(t *testing.T) {
	takes.Long(t)
	g := NewWithT(t)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	const memory = 192 << 20
	local, err := localfleet.Start(localfleet.Config{Nodes: 2, InMemory: true, Memory: memory, Keep: true})
	var not *cgroup.UnsupportedError
	if errors.As(err, &not) {
		t.Skip(err)
	}
	g.Expect(err).NotTo(HaveOccurred())
	ended := false
	defer func() {
		if !ended {
			g.Expect(local.Terminate()).To(Succeed())
		}
	}()
	c := local.Config()
	c.Budgets.Nodes = 2
	f, err := fleet.Dial(ctx, c)
	g.Expect(err).NotTo(HaveOccurred())
	defer f.Close()
	var others []*pool.Future[int]
	for range 20 {
		others = append(others, sleep.Submit(ctx, f, 100*time.Millisecond))
	}
	told := filepath.Join(t.TempDir(), "told")
	_, err = hungry.Call(ctx, f, hunger{told, 2 * memory})
	var lost *pool.WorkerLostError
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(len(lost.Exits)).To(BeNumerically(">=", 2), "the first says little: many tasks are lost with a node")
	g.Expect(lost.Error()).To(ContainSubstring(`task "respawn-fleet.hungry" lost its worker`))
	text, err := os.ReadFile(told)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(strings.Fields(string(text))).To(ContainElement(fmt.Sprint(lost.Exits[0].PID)))
	nodes, err := (&driver{local: local}).died(ctx, told)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(len(nodes)).To(BeNumerically(">=", len(lost.Exits)))
	kills, err := local.OOMKills()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(kills).To(BeNumerically(">=", len(nodes)), "each of them was the kernel's")
	for _, o := range others {
		_, err := o.Result(ctx)
		g.Expect(err).NotTo(HaveOccurred(), "nobody else is blamed")
	}
	ended = true
	g.Expect(local.Terminate()).To(Succeed())
	g.Expect(cgroup.Owned(os.Getpid())).NotTo(ContainElement(ContainSubstring("-node-")))
}
