package tidy

import (
	"fmt"
	"go/ast"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	. "github.com/onsi/gomega"
)

// What docs/chaos.md says of stages, steps, outcomes and verdicts is held against the code.
func TestTheWordsOfTheHarnessAreThoseOfTheCode(t *testing.T) {
	g := NewWithT(t)
	files, err := readTree(os.DirFS(root))
	g.Expect(err).NotTo(HaveOccurred())
	page, err := os.ReadFile(root + "/docs/chaos.md")
	g.Expect(err).NotTo(HaveOccurred())
	for _, wrong := range missaid(files, string(page)) {
		t.Errorf("docs/chaos.md: %s\n\tinstead: say what the code does", wrong)
	}
}

func TestWordsThatAreNotTheCodesAreFound(t *testing.T) {
	files, err := readTree(fstest.MapFS{
		stagesAt: {Data: []byte("package history\n\nconst (\n\tBoot StageName = \"boot\"\n\tStop StageName = " +
			"\"stop\"\n)\n\nconst (\n\tA FaultOutcome = \"done\"\n\tB FaultOutcome = \"not_done\"\n)\n")},
		stepsAt: {Data: []byte("package chaos\n\ntype Injection interface {\n\tSetup()\n\tHeal()\n}\n")},
		verdictsAt: {
			Data: []byte("package check\n\nconst (\n\tFail Verdict = \"FAIL\"\n\tPass Verdict = \"PASS\"\n)\n"),
		},
	})
	g := NewWithT(t)
	g.Expect(err).NotTo(HaveOccurred())
	page := " Run: boot → stop   chaos/\n\n## Life of a fault\n\n Setup ──ok──► Heal\n\n| done | a |\n" +
		"| not_done | b |\n\n## Verdict\n\nFAIL (a\nb) >\nPASS. More.\n"
	g.Expect(missaid(files, page)).To(BeEmpty())
	for says, instead := range map[string]string{
		"boot → stop": "stop → boot", "Setup ──ok──► Heal": "Setup ──► Confirm ──► Heal", "| not_done |": "| undone |",
		"FAIL (a\nb) >\nPASS": "PASS > FAIL",
	} {
		g.Expect(missaid(files, strings.Replace(page, says, instead, 1))).To(HaveLen(1), instead)
	}
}

const (
	stagesAt   = "chaos/history/ops.go"
	stepsAt    = "chaos/fault.go"
	verdictsAt = "chaos/check/verdict.go"
)

var (
	runOf     = regexp.MustCompile(`Run: (\w+(?: → \w+)*)`)
	stepsOf   = regexp.MustCompile(`(?m)^ (\w+(?: ─+(?:ok─+)?► \w+)+)$`)
	arrowOfIt = regexp.MustCompile(` ─+(?:ok─+)?► `)
	outcomeOf = regexp.MustCompile(`(?m)^\| (\w+) \|`)
	aside     = regexp.MustCompile(`\s*\([^)]*\)`)
)

// missaid finds what the page says otherwise than the code.
func missaid(files []*file, page string) (found []string) {
	differ := func(what string, said, are []string) {
		if len(are) == 0 || !slices.Equal(said, are) {
			found = append(found, fmt.Sprintf("the %s are %v, and not %v", what, are, said))
		}
	}
	first := func(of *regexp.Regexp, text string) string {
		if m := of.FindStringSubmatch(text); m != nil {
			return m[1]
		}
		return ""
	}
	_, life, _ := strings.Cut(page, "## Life of a fault\n")
	life, _, _ = strings.Cut(life, "\n## ")
	_, verdict, _ := strings.Cut(page, "## Verdict\n")
	differ("stages", strings.Split(first(runOf, page), " → "), constants(files, stagesAt, "StageName"))
	differ("steps", arrowOfIt.Split(first(stepsOf, life), -1), methodsOf(files, stepsAt, "Injection"))
	var said []string
	for _, m := range outcomeOf.FindAllStringSubmatch(life, -1) {
		if m[1] != "outcome" {
			said = append(said, m[1])
		}
	}
	are := constants(files, stagesAt, "FaultOutcome")
	slices.Sort(said)
	slices.Sort(are)
	differ("outcomes", said, are)
	said = nil
	for part := range strings.SplitSeq(aside.ReplaceAllString(strings.ReplaceAll(verdict, "\n", " "), ""), " > ") {
		words := strings.Fields(part + " .")
		word := words[0]
		if said == nil { // behind what is before the first
			word = words[max(0, len(words)-2)]
		}
		said = append(said, strings.Trim(word, "."))
	}
	differ("verdicts, in their order,", said, constants(files, verdictsAt, "Verdict"))
	return found
}

// constants are the texts of the constants of that type in a file, in their order.
func constants(files []*file, at, of string) (texts []string) {
	for _, f := range files {
		if f.path != at {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 {
				return true
			}
			named, ok := v.Type.(*ast.Ident)
			lit, isText := v.Values[0].(*ast.BasicLit)
			if ok && isText && named.Name == of {
				text, _ := strconv.Unquote(lit.Value)
				texts = append(texts, text)
			}
			return true
		})
	}
	return texts
}

// methodsOf are the names of an interface's methods, in their order.
func methodsOf(files []*file, at, name string) (names []string) {
	for _, f := range files {
		if f.path != at {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != name {
				return true
			}
			if i, ok := spec.Type.(*ast.InterfaceType); ok {
				for _, m := range i.Methods.List {
					names = append(names, m.Names[0].Name)
				}
			}
			return false
		})
	}
	return names
}
