package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"go.yaml.in/yaml/v4"
)

// action is a step of a composite action.
type action struct {
	If, Run, Uses, Shell string
	Env                  map[string]string
}

// steps are the action's, with its inputs in place. Every expression that it has must be known here.
func actionSteps(g *WithT, inputs map[string]string) (list []action) {
	var a struct {
		Inputs map[string]struct{ Description, Default string }
		Runs   struct {
			Using string
			Steps []action
		}
	}
	load(g, "../../ci/action/action.yml", &a)
	g.Expect(a.Runs.Using).To(Equal("composite"))
	words := map[string]string{"github.action_path": absolute(g, "../../ci/action")}
	for name, in := range a.Inputs {
		g.Expect(in.Description).NotTo(BeEmpty(), name)
		words["inputs."+name] = in.Default
	}
	maps.Copy(words, inputs)
	fill := func(s string) string {
		for name, value := range words {
			s = strings.ReplaceAll(s, "${{ "+name+" }}", value)
		}
		return strings.ReplaceAll(s, "${{ github.token }}", "a token")
	}
	for _, s := range a.Runs.Steps {
		s.Run = fill(s.Run)
		env := map[string]string{}
		for k, v := range s.Env {
			env[k] = fill(v)
		}
		s.Env = env
		g.Expect(s.Run + fmt.Sprint(env)).NotTo(ContainSubstring("${{"))
		if s.Run != "" {
			g.Expect(s.Shell).To(Equal("bash"), "a composite action names its shell")
			list = append(list, s)
		}
	}
	return list
}

// onRunner runs the steps as a runner does: after one that fails only those that always run.
func onRunner(t *testing.T, dir string, steps []action, set ...string) (ok bool, output string) {
	ok = true
	for _, s := range steps {
		if !ok && !strings.HasPrefix(s.If, "always()") {
			continue
		}
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", s.Run)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), set...)
		for k, v := range s.Env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		out, err := cmd.CombinedOutput()
		output += string(out)
		if err != nil {
			t.Logf("%s\n%s%v", s.Run, out, err)
			ok = false
		}
	}
	return ok, output
}

func absolute(g *WithT, path string) string {
	abs, err := filepath.Abs(path)
	g.Expect(err).NotTo(HaveOccurred())
	return abs
}

// runner is a directory with what a CI system's machine has: respawn once it is "installed", go, and the tools that comment, which
// write down what they are called with.
func runner(g *WithT, t *testing.T) (dir, bin string) {
	dir, bin = t.TempDir(), t.TempDir()
	self, err := os.Executable()
	g.Expect(err).NotTo(HaveOccurred())
	real, err := exec.LookPath("go")
	g.Expect(err).NotTo(HaveOccurred())
	root := absolute(g, "../..")
	write(g, filepath.Join(bin, "go"), fmt.Sprintf(`#!/bin/sh
case "$1 $2" in
"install github.com/respawn-go/respawn/cmd/respawn") ln -sf %q %q ;;
"list -m") echo %q ;;
"test "*) cd %q && exec %q "$@" ;;
*) exit 9 ;;
esac
`, self, filepath.Join(bin, "respawn"), root, root, real))
	write(g, filepath.Join(bin, "gh"), `#!/bin/sh
echo "$@" >>calls
case "$*" in
*--jq*) test ! -e commented || echo 77 ;;
*) : >commented ;;
esac
`)
	write(g, filepath.Join(bin, "curl"), "#!/bin/sh\necho \"$@\" >>calls\n")
	return dir, bin
}

const oneKill = "name: one\ntarget: {pool: {size: 2%s}}\nsettle: %s\nchaos:\n  - {fault: {signal: KILL}, when: {every: 100ms, times: 2}}\n"

func TestTheActionRunsGatesAndComments(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds: run without -short")
	}
	t.Parallel()
	g := NewWithT(t)
	dir, bin := runner(g, t)
	summary := filepath.Join(dir, "summary.md")
	set := []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY=" + summary, "GITHUB_REF=refs/pull/12/merge",
		"GITHUB_REPOSITORY=o/r",
	}
	steps := actionSteps(g, map[string]string{"inputs.scenarios": "*.yaml", "inputs.comment": "true"})

	write(g, filepath.Join(dir, "one.yaml"), fmt.Sprintf(oneKill, "", "20s"))
	ok, out := onRunner(t, dir, steps, set...)
	g.Expect(ok).To(BeTrue())
	g.Expect(out).To(ContainSubstring("gate: green"))
	g.Expect(os.ReadFile(summary)).To(ContainSubstring("one"))
	g.Expect(os.ReadFile(filepath.Join(dir, "calls"))).To(ContainSubstring("api --silent repos/o/r/issues/12/comments -F body=@respawn-out/gate.md"))

	write(g, filepath.Join(dir, "one.yaml"), fmt.Sprintf(oneKill, ", bugs: [kills-others]", "300ms"))
	ok, out = onRunner(t, dir, steps, set...)
	g.Expect(ok).To(BeFalse())
	g.Expect(out).To(And(ContainSubstring("gate: red"), ContainSubstring("::error title=respawn one::")))
	g.Expect(os.ReadFile(filepath.Join(dir, "calls"))).To(ContainSubstring("-X PATCH repos/o/r/issues/comments/77 -F body=@respawn-out/gate.md"))
	g.Expect(os.ReadFile(filepath.Join(dir, "respawn-out", "gate.md"))).To(And(HavePrefix("<!-- respawn"), ContainSubstring("red")))

	ok, out = onRunner(t, dir, actionSteps(g, nil), set...)
	g.Expect(ok).To(BeFalse())
	g.Expect(out).To(ContainSubstring("neither scenarios nor packages"))
}

func TestTheActionRunsTestsOfAPoolOfOnesOwn(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds: run without -short")
	}
	t.Parallel()
	g := NewWithT(t)
	dir, bin := runner(g, t)
	set := []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY=", "GITHUB_REF=refs/heads/main"}
	steps := actionSteps(g, map[string]string{"inputs.packages": "./scenarios/scenariotest -run ^TestResilience$"})
	ok, out := onRunner(t, dir, steps, set...)
	g.Expect(ok).To(BeTrue(), out)
	g.Expect(out).To(And(MatchRegexp(`green +kill-one`), ContainSubstring("no pull request: nothing to comment on")))

	steps = actionSteps(g, map[string]string{"inputs.packages": "./scenarios/scenariotest -run ^TestThatIsNotThere$"})
	ok, out = onRunner(t, dir, steps, set...)
	g.Expect(ok).To(BeFalse(), "no run is no green: %s", out)
}

func TestTheComponentOfGitLabDoesTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds: run without -short")
	}
	t.Parallel()
	g := NewWithT(t)
	dir, bin := runner(g, t)
	text, err := os.ReadFile("../../ci/gitlab/respawn.yml")
	g.Expect(err).NotTo(HaveOccurred())
	head, body, ok := bytes.Cut(text, []byte("\n---\n"))
	g.Expect(ok).To(BeTrue())
	var spec struct {
		Spec struct {
			Inputs map[string]struct{ Default string }
		}
	}
	g.Expect(yaml.Load(head, &spec)).To(Succeed())
	words := string(body)
	for name, in := range spec.Spec.Inputs {
		value := in.Default
		if name == "scenarios" {
			value = "one.yaml"
		}
		words = strings.ReplaceAll(words, "$[[ inputs."+name+" ]]", `"`+value+`"`)
	}
	g.Expect(words).NotTo(ContainSubstring("$[["))
	write(g, filepath.Join(dir, "job.yml"), strings.Replace(words, "respawn:\n", "resilience:\n", 1))
	p := gitlab(g, filepath.Join(dir, "job.yml"))
	set := []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "GITHUB_ACTIONS=", "GITHUB_STEP_SUMMARY=", "RESPAWN_TOKEN=secret", "CI_MERGE_REQUEST_IID=5",
		"CI_API_V4_URL=https://gitlab.example/api/v4", "CI_PROJECT_ID=3",
	}
	write(g, filepath.Join(dir, "one.yaml"), fmt.Sprintf(oneKill, "", "20s"))
	green, out := p.run(t, dir, set...)
	g.Expect(green).To(BeTrue())
	g.Expect(out).To(ContainSubstring("gate: green"))
	g.Expect(os.ReadFile(filepath.Join(dir, "calls"))).To(ContainSubstring("https://gitlab.example/api/v4/projects/3/merge_requests/5/notes"))

	write(g, filepath.Join(dir, "one.yaml"), fmt.Sprintf(oneKill, ", bugs: [kills-others]", "300ms"))
	green, out = p.run(t, dir, set...)
	g.Expect(green).To(BeFalse())
	g.Expect(out).To(And(ContainSubstring("gate: red"), Not(ContainSubstring("::error"))))
}
