package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	"go.yaml.in/yaml/v4"

	"github.com/respawn-go/respawn/ci"
	"github.com/respawn-go/respawn/internal/takes"
)

// pipeline is what a CI system would run: the shell commands of its one job, in order, and the variables they see.
type pipeline struct {
	steps []string
	env   map[string]string
}

// github reads a workflow; a step's "if" is not looked at.
func github(g *WithT, path string) pipeline {
	var w struct {
		Env  map[string]string
		Jobs map[string]struct{ Steps []struct{ Run string } }
	}
	load(g, path, &w)
	g.Expect(w.Jobs).To(HaveLen(1))
	p := pipeline{env: w.Env}
	for _, s := range w.Jobs["resilience"].Steps {
		if s.Run != "" {
			p.steps = append(p.steps, s.Run)
		}
	}
	return p
}

func gitlab(g *WithT, path string) pipeline {
	var w map[string]struct {
		Variables map[string]string
		Script    []string
	}
	load(g, path, &w)
	g.Expect(w).To(HaveLen(1))
	job := w["resilience"]
	// GitLab makes one script of the lines.
	return pipeline{steps: []string{strings.Join(job.Script, "\n")}, env: job.Variables}
}

func load(g *WithT, path string, v any) {
	text, err := os.ReadFile(path)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(yaml.Load(text, v)).To(Succeed(), path)
}

// run runs the steps as a runner does, and tells whether all of them succeeded.
func (p pipeline) run(t *testing.T, dir string, set ...string) (ok bool, output string) {
	for _, step := range p.steps {
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step)
		cmd.Dir = dir
		cmd.Env = os.Environ()
		for k, v := range p.env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		cmd.Env = append(cmd.Env, set...)
		out, err := cmd.CombinedOutput()
		output += string(out)
		if err != nil {
			t.Logf("%s\n%s%v", step, out, err)
			return false, output
		}
	}
	return true, output
}

// What is there to be copied does what it says: it is green on a pool that keeps its promises, takes the reports as the
// next run's baseline, and is red on a pool that does not.
func TestPipelinesDecide(t *testing.T) {
	takes.Seconds(t)
	all := map[string]pipeline{"github-actions.yml": github(NewWithT(t), "../../ci/github-actions.yml")}
	if takes.Every() {
		all["gitlab-ci.yml"] = gitlab(NewWithT(t), "../../ci/gitlab-ci.yml")
	}
	for name, p := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			dir, bin := t.TempDir(), t.TempDir()
			self, err := os.Executable()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(os.Symlink(self, filepath.Join(bin, "respawn"))).To(Succeed())
			// What the runner has and this machine may not: the module to install from, and GitLab's store of
			// artifacts.
			write(g, filepath.Join(bin, "go"),
				"#!/bin/sh\ntest \"$*\" = 'install github.com/respawn-go/respawn/cmd/respawn'\n")
			write(g, filepath.Join(bin, "curl"),
				"#!/bin/sh\nwhile [ \"$1\" != -o ]; do shift; done\ncp respawn-baseline.tgz \"$2\"\n")
			write(g, filepath.Join(dir, "policy.yaml"), "scenarios: [one]\n")
			set := []string{
				"PATH=" + bin + ":" + os.Getenv("PATH"), "SCENARIOS=one.yaml", "POLICY=policy.yaml",
				"REPEAT=2", "GITHUB_ACTIONS=", "GITHUB_STEP_SUMMARY=",
			}
			one := "name: one\ntarget: {pool: {size: 2%s}}\nsettle: %s\nchaos:\n" +
				"  - {fault: {signal: KILL}, when: {every: 100ms, times: 2}}\n"

			write(g, filepath.Join(dir, "one.yaml"), fmt.Sprintf(one, "", "20s"))
			ok, out := p.run(t, dir, set...)
			g.Expect(ok).To(BeTrue())
			g.Expect(out).To(ContainSubstring("gate: green"))
			g.Expect(out).NotTo(ContainSubstring("too few to judge"))

			ok, out = p.run(t, dir, set...)
			g.Expect(ok).To(BeTrue())
			g.Expect(out).To(ContainSubstring("2 and 2 runs, too few to judge"), "the first run is the baseline")

			write(g, filepath.Join(dir, "one.yaml"), fmt.Sprintf(one, ", bugs: [answers-late]", "300ms"))
			ok, out = p.run(t, dir, set...)
			g.Expect(ok).To(BeFalse())
			g.Expect(out).To(ContainSubstring("gate: red"))

			write(g, filepath.Join(dir, "one.yaml"), "name: One\n")
			ok, out = p.run(t, dir, set...)
			g.Expect(ok).To(BeFalse())
			g.Expect(out).NotTo(ContainSubstring("gate:"), "a mistake in a file ends it before the gate")

			g.Expect(os.Remove(filepath.Join(bin, "respawn"))).To(Succeed())
			write(g, filepath.Join(bin, "respawn"), "#!/bin/sh\necho \"respawn $1\"\nexit 127\n")
			ok, out = p.run(t, dir, set...)
			g.Expect(ok).To(BeFalse())
			g.Expect(out).To(ContainSubstring("respawn run"))
			g.Expect(out).NotTo(ContainSubstring("respawn gate"), "so does a respawn that is not there")
		})
	}
}

func write(g *WithT, path, text string) {
	// a process that another test starts meanwhile would hold it open, and the kernel runs no such file
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	g.Expect(os.WriteFile(path, []byte(text), 0o755)).To(Succeed())
}

// This repository is gated by what it offers, on all that its policy asks for.
func TestOwnWorkflowIsTheOneToCopy(t *testing.T) {
	g := NewWithT(t)
	offered, err := os.ReadFile("../../ci/github-actions.yml")
	g.Expect(err).NotTo(HaveOccurred())
	own, err := os.ReadFile("../../.github/workflows/resilience.yml")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(own)).To(Equal(string(offered)), "run: cp ci/github-actions.yml .github/workflows/resilience.yml")

	p := github(g, "../../ci/github-actions.yml")
	policy, err := ci.ReadPolicy(filepath.Join("../..", p.env["POLICY"]))
	g.Expect(err).NotTo(HaveOccurred())
	names := strings.Fields(p.env["SCENARIOS"])
	slices.Sort(names)
	slices.Sort(policy.Scenarios)
	g.Expect(names).To(Equal(policy.Scenarios))
}
