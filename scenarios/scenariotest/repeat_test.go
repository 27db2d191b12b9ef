package scenariotest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/scenariotest"
)

// What a failure says to repeat it with is the same scenario: its file, its form, and what was set.
func TestRepeatLineNamesTheSameScenario(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	file := filepath.Join(t.TempDir(), "mine too.yaml")
	text := "name: mine\ntarget: {pool: {size: 2}}\nexpect: [slot.recovery.max <= 1s]\nshort: {seed: 7}\n"
	g.Expect(os.WriteFile(file, []byte(text), 0o644)).To(Succeed())
	out := scenariotest.Out(t.TempDir())
	describe := func(opts ...scenariotest.Option) string {
		opts = append(opts, out)
		list, err := scenariotest.Read([]string{file}, opts...)
		g.Expect(err).NotTo(HaveOccurred())
		r, dir, err := scenariotest.One(t.Context(), list[0], opts...)
		g.Expect(err).NotTo(HaveOccurred())
		text := scenariotest.Describe(r, dir)
		g.Expect(strings.Count(text, r.Cause)).To(Equal(1), text)
		return text
	}
	g.Expect(describe(scenariotest.Set("target.pool.size=1"))).To(ContainSubstring(
		"seed 7, repeat with: respawn run '" + file + "' --short --set target.pool.size=1\n"))
	g.Expect(describe(scenariotest.Full())).To(ContainSubstring("seed 1, repeat with: respawn run '" + file + "'\n"))
	g.Expect(describe(scenariotest.Against(func(context.Context, int) (chaos.Target, error) {
		return nil, errors.New("no target")
	}))).To(ContainSubstring("repeat with: this test\n"))
	named, err := scenarios.ReadNamed("tutorial", scenarios.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(named.Argument()).To(Equal("tutorial"))
}
