package poolprom_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/pool/poolprom"
)

var nap = pool.Register("nap", func(_ context.Context, ms int) (int, error) {
	<-time.After(time.Duration(ms) * time.Millisecond)
	return ms, nil
})

func TestMain(m *testing.M) {
	pool.Main()
	os.Exit(m.Run())
}

// A pool of which a worker was killed and one recycled says so, and how long its tasks took.
func TestAPoolIsCollected(t *testing.T) {
	g := NewWithT(t)
	p, err := pool.New(t.Context(), pool.Config{Size: 2, Measure: true})
	g.Expect(err).NotTo(HaveOccurred())
	defer p.Terminate()
	registry := prometheus.NewPedanticRegistry()
	g.Expect(registry.Register(poolprom.New(p, prometheus.Labels{"pool": "images"}))).To(Succeed())
	_, err = nap.Map(t.Context(), p, []int{20, 20, 20})
	g.Expect(err).NotTo(HaveOccurred())
	victim, err := os.FindProcess(p.Workers()[0].PID)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(victim.Kill()).To(Succeed())
	g.Eventually(func() uint64 { return p.Stats().Killed }).Should(BeEquivalentTo(1))

	values := map[string]*dto.Metric{}
	families, err := registry.Gather()
	g.Expect(err).NotTo(HaveOccurred())
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				if l.GetName() != "pool" {
					name += " " + l.GetValue()
				} else {
					g.Expect(l.GetValue()).To(Equal("images"))
				}
			}
			values[name] = m
		}
	}
	g.Expect(values["respawn_pool_settled_total ok"].GetCounter().GetValue()).To(Equal(3.0))
	g.Expect(values["respawn_pool_worker_exits_total killed"].GetCounter().GetValue()).To(Equal(1.0))
	g.Expect(values["respawn_pool_worker_exits_total unasked"].GetCounter().GetValue()).To(Equal(0.0))
	run := values["respawn_pool_task_run_seconds nap"].GetHistogram()
	g.Expect(run.GetSampleCount()).To(BeEquivalentTo(3))
	g.Expect(run.GetSampleSum()).To(BeNumerically(">=", 0.06))
	g.Expect(values).To(HaveKey("respawn_pool_task_queue_seconds nap"))

	problems, err := testutil.GatherAndLint(registry)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(problems).To(BeEmpty())
	if tool, err := exec.LookPath("promtool"); err == nil {
		var text bytes.Buffer
		for _, f := range families {
			_, err := expfmt.MetricFamilyToText(&text, f)
			g.Expect(err).NotTo(HaveOccurred())
		}
		check := exec.Command(tool, "check", "metrics")
		check.Stdin = &text
		out, err := check.CombinedOutput()
		g.Expect(err).NotTo(HaveOccurred(), string(out))
	}
}

// Every figure that the dashboard asks for is one that a pool has.
func TestTheDashboardAsksForWhatThereIs(t *testing.T) {
	g := NewWithT(t)
	text, err := os.ReadFile("dashboard.json")
	g.Expect(err).NotTo(HaveOccurred())
	var board struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	g.Expect(json.Unmarshal(text, &board)).To(Succeed())
	p, err := pool.New(t.Context(), pool.Config{Size: 1, Measure: true})
	g.Expect(err).NotTo(HaveOccurred())
	defer p.Terminate()
	_, err = nap.Call(t.Context(), p, 1)
	g.Expect(err).NotTo(HaveOccurred())
	registry := prometheus.NewPedanticRegistry()
	g.Expect(registry.Register(poolprom.New(p, nil))).To(Succeed())
	families, err := registry.Gather()
	g.Expect(err).NotTo(HaveOccurred())
	there := map[string]bool{}
	for _, f := range families {
		there[f.GetName()] = true
		there[f.GetName()+"_bucket"] = f.GetType() == dto.MetricType_HISTOGRAM
	}
	asked := 0
	page, err := os.ReadFile("../../docs/operations.md")
	g.Expect(err).NotTo(HaveOccurred())
	for _, name := range regexp.MustCompile(`respawn_pool_[a-z_]+`).FindAllString(string(text)+string(page), -1) {
		g.Expect(there).To(HaveKeyWithValue(name, true))
		asked++
	}
	g.Expect(asked).To(BeNumerically(">", 20))
}
