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

	"github.com/respawn-go/respawn/internal/takes"
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

// runner is a directory with what a CI system's machine has: respawn once it is "installed", go, and the tools that
// comment, which write down what they are called with.
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

const oneKill = "name: one\ntarget: {pool: {size: 2%s}}\nsettle: %s\nchaos:\n" +
	"  - {fault: {signal: KILL}, when: {every: 100ms, times: 2}}\n"

func TestTheActionRunsGatesAndComments(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	dir, bin := runner(g, t)
	summary := filepath.Join(dir, "summary.md")
	set := []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY=" + summary,
		"GITHUB_REF=refs/pull/12/merge",
		"GITHUB_REPOSITORY=o/r",
	}
	steps := actionSteps(g, map[string]string{"inputs.scenarios": "*.yaml", "inputs.comment": "true"})

	write(g, filepath.Join(dir, "one.yaml"), fmt.Sprintf(oneKill, "", "20s"))
	ok, out := onRunner(t, dir, steps, set...)
	g.Expect(ok).To(BeTrue())
	g.Expect(out).To(ContainSubstring("gate: green"))
	g.Expect(os.ReadFile(summary)).To(ContainSubstring("one"))
	g.Expect(os.ReadFile(filepath.Join(dir, "calls"))).
		To(ContainSubstring("api --silent repos/o/r/issues/12/comments -F body=@respawn-out/gate.md"))

	write(g, filepath.Join(dir, "one.yaml"), fmt.Sprintf(oneKill, ", bugs: [kills-others]", "300ms"))
	ok, out = onRunner(t, dir, steps, set...)
	g.Expect(ok).To(BeFalse())
	g.Expect(out).To(And(ContainSubstring("gate: red"), ContainSubstring("::error title=respawn one::")))
	g.Expect(os.ReadFile(filepath.Join(dir, "calls"))).
		To(ContainSubstring("-X PATCH repos/o/r/issues/comments/77 -F body=@respawn-out/gate.md"))
	g.Expect(os.ReadFile(filepath.Join(dir, "respawn-out", "gate.md"))).
		To(And(HavePrefix("<!-- respawn"), ContainSubstring("red")))

	ok, out = onRunner(t, dir, actionSteps(g, nil), set...)
	g.Expect(ok).To(BeFalse())
	g.Expect(out).To(ContainSubstring("neither scenarios nor packages"))
}

func TestTheActionRunsTestsOfAPoolOfOnesOwn(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	dir, bin := runner(g, t)
	set := []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY=",
		"GITHUB_REF=refs/heads/main",
	}
	steps := actionSteps(g, map[string]string{"inputs.packages": "./scenarios/scenariotest -run ^TestResilience$"})
	ok, out := onRunner(t, dir, steps, set...)
	g.Expect(ok).To(BeTrue(), out)
	g.Expect(out).To(And(MatchRegexp(`green +kill-one`), ContainSubstring("no pull request: nothing to comment on")))

	steps = actionSteps(g, map[string]string{"inputs.packages": "./scenarios/scenariotest -run ^TestThatIsNotThere$"})
	ok, out = onRunner(t, dir, steps, set...)
	g.Expect(ok).To(BeFalse(), "no run is no green: %s", out)
}

// component is the job of the component of GitLab with those inputs.
func component(g *WithT, dir string, inputs map[string]string) pipeline {
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
		if own, ok := inputs[name]; ok {
			value = own
		}
		words = strings.ReplaceAll(words, "$[[ inputs."+name+" ]]", `"`+value+`"`)
	}
	g.Expect(words).NotTo(ContainSubstring("$[["))
	write(g, filepath.Join(dir, "job.yml"), strings.Replace(words, "respawn:\n", "resilience:\n", 1))
	return gitlab(g, filepath.Join(dir, "job.yml"))
}

// What was asked for reaches the command and go test, in the action and in the component; and a run that is no run is
// red, whatever the gate would say of what is there.
func TestInputsReachTheCommandAndARunThatIsNoneIsRed(t *testing.T) {
	g := NewWithT(t)
	dir, bin := t.TempDir(), t.TempDir()
	root := absolute(g, "../..")
	write(g, filepath.Join(bin, "respawn"),
		"#!/bin/sh\necho \"respawn $*\" >>calls\n[ $1 = gate ] && echo gate: green || exit ${RUN:-0}\n")
	write(g, filepath.Join(bin, "go"), fmt.Sprintf(
		"#!/bin/sh\ncase $1 in list) echo %q ;; test) echo \"go $*\" >>calls; exit ${TEST:-0} ;; esac\n", root))
	g.Expect(os.Mkdir(filepath.Join(dir, "before"), 0o755)).To(Succeed())
	inputs := map[string]string{
		"scenarios": "a.yaml b", "packages": "./p -run ^X$", "policy": "p.yaml", "baseline": "before", "repeat": "3",
	}
	all := []string{
		"respawn run a.yaml b --short --repeat 3 --out respawn-out", "go test -count=3 ./p -run ^X$",
		"respawn gate respawn-out --policy p.yaml --baseline before --junit respawn-out/gate.xml",
	}
	path := "PATH=" + bin + ":" + os.Getenv("PATH")
	words := map[string]string{}
	for name, value := range inputs {
		words["inputs."+name] = value
	}
	ways := map[string]func(set ...string) bool{
		"action": func(set ...string) bool {
			ok, _ := onRunner(t, dir, actionSteps(g, words),
				append(set, path, "GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY=", "GITHUB_REF=")...)
			return ok
		},
		"component": func(set ...string) bool {
			ok, _ := component(g, dir, inputs).run(t, dir,
				append(set, path, "GITHUB_ACTIONS=", "GITHUB_STEP_SUMMARY=")...)
			return ok
		},
	}
	for name, way := range ways {
		for codes, want := range map[string]int{
			"RUN=0": 3, "RUN=1": 3, "RUN=3": 3, "RUN=4": 3, "RUN=5": 3, "RUN=2": 1, "RUN=127": 1, "TEST=1": 3,
			"TEST=2": 2,
		} {
			_ = os.Remove(filepath.Join(dir, "calls"))
			g.Expect(way(codes)).To(Equal(want == len(all)), "%s, %s", name, codes)
			calls, err := os.ReadFile(filepath.Join(dir, "calls"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(strings.Split(strings.TrimSpace(string(calls)), "\n")).To(Equal(all[:want]), "%s, %s", name, codes)
		}
	}
}

func TestTheComponentOfGitLabDoesTheSame(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	dir, bin := runner(g, t)
	p := component(g, dir, map[string]string{"scenarios": "one.yaml"})
	set := []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "GITHUB_ACTIONS=", "GITHUB_STEP_SUMMARY=", "RESPAWN_TOKEN=secret",
		"CI_MERGE_REQUEST_IID=5",
		"CI_API_V4_URL=https://gitlab.example/api/v4", "CI_PROJECT_ID=3",
	}
	write(g, filepath.Join(dir, "one.yaml"), fmt.Sprintf(oneKill, "", "20s"))
	green, out := p.run(t, dir, set...)
	g.Expect(green).To(BeTrue())
	g.Expect(out).To(ContainSubstring("gate: green"))
	g.Expect(os.ReadFile(filepath.Join(dir, "calls"))).
		To(ContainSubstring("https://gitlab.example/api/v4/projects/3/merge_requests/5/notes"))

	write(g, filepath.Join(dir, "one.yaml"), fmt.Sprintf(oneKill, ", bugs: [kills-others]", "300ms"))
	green, out = p.run(t, dir, set...)
	g.Expect(green).To(BeFalse())
	g.Expect(out).To(And(ContainSubstring("gate: red"), Not(ContainSubstring("::error"))))
}
