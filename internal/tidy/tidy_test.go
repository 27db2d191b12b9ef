package tidy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	. "github.com/onsi/gomega"
)

const root = "../.."

func TestEveryFileKeepsTheRules(t *testing.T) {
	files, err := readTree(os.DirFS(root))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, r := range rules {
		t.Run(strings.ReplaceAll(r.name, " ", "-"), func(t *testing.T) {
			for _, f := range files {
				for _, found := range r.check(f) {
					t.Errorf("%s\n\tinstead: %s\n\twhy: %s", found, r.instead, r.why)
				}
			}
		})
	}
}

func TestEveryRuleCanFail(t *testing.T) {
	for _, r := range rules {
		NewWithT(t).Expect(r.bad).NotTo(BeEmpty(), r.name)
		NewWithT(t).Expect(r.good).NotTo(BeEmpty(), r.name)
		for i, e := range append(r.bad, r.good...) {
			t.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(r.name, " ", "-"), i), func(t *testing.T) {
				g := NewWithT(t)
				files, err := readTree(fstest.MapFS{e.path: {Data: []byte(e.text)}})
				g.Expect(err).NotTo(HaveOccurred())
				found := r.check(files[0])
				if e.line == 0 {
					g.Expect(found).To(BeEmpty())
					return
				}
				g.Expect(found).To(HaveLen(1))
				g.Expect(found[0].path).To(Equal(e.path))
				g.Expect(found[0].line).To(Equal(e.line))
			})
		}
	}
}

func TestImportsFollowTheArrows(t *testing.T) {
	g := NewWithT(t)
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,Imports,Deps", "./...")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	g.Expect(err).NotTo(HaveOccurred())
	var pkgs []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	g.Expect(len(pkgs)).To(BeNumerically(">", 3), "go list found the module")
	for _, found := range checkArrows(pkgs) {
		t.Error(found)
	}
}

func TestEveryArrowCanFail(t *testing.T) {
	pkg := func(path string, imports ...string) goPackage {
		return goPackage{ImportPath: module + "/" + path, Doc: "It is.", Imports: imports, Deps: imports}
	}
	us := func(path string) string { return module + "/" + path }
	for _, c := range []struct {
		pkg  goPackage
		want string // "": allowed
	}{
		{pkg("pool", "fmt", us("internal/cgroup"), sys+"/unix", cborCodec), ""},
		{pkg("pool", us("chaos")), "pool imports chaos"},
		{pkg("pool", "github.com/onsi/gomega"), "pool depends on github.com/onsi/gomega"},
		{pkg("pool/pooltest", us("pool"), "github.com/onsi/gomega"), ""},
		{pkg("pool/pooltest", us("scenarios")), "pool/pooltest imports scenarios"},
		{pkg("chaos", us("chaos/history"), us("internal/procfs"), sys+"/unix"), ""},
		{pkg("chaos", us("pool")), "chaos imports pool"},
		{pkg("chaos", us("chaos/check")), "chaos imports chaos/check"},
		{pkg("chaos", cborCodec), "chaos depends on"},
		{pkg("chaos/history", us("internal/procfs")), "may import nothing"},
		{pkg("chaos/history", sys+"/unix"), "may use nothing"},
		{pkg("chaos/check", us("chaos/history")), ""},
		{pkg("chaos/check", us("chaos")), "chaos/check imports chaos"},
		{pkg("scenarios/internal/brokenpool", sys+"/unix"), ""},
		{pkg("scenarios/internal/brokenpool", us("chaos")), "scenarios/internal/brokenpool imports chaos"},
		{pkg("scenarios/targets", us("pool"), us("chaos/history"), us("scenarios")), ""},
		{pkg("scenarios", us("ci")), "scenarios imports ci"},
		{pkg("reports", us("chaos")), "reports imports chaos"},
		{pkg("ci", us("chaos/check")), "ci imports chaos/check"},
		{pkg("cmd/respawn", us("scenarios"), "github.com/spf13/cobra"), ""},
		{pkg("cmd/respawn", us("chaos")), "cmd/respawn imports chaos"},
		{pkg("cmd/respawn", "testing"), "cmd/respawn links testing"},
		{pkg("internal/cgroup", us("pool")), "internal/cgroup imports pool"},
		{pkg("internal/procfs", "github.com/onsi/gomega"), "internal/procfs depends on"},
		{pkg("internal/tidy", us("pool")), "internal/tidy imports pool"},
		{pkg("attic"), "no arrow leads from here"},
		{goPackage{ImportPath: module + "/chaos"}, "no package comment"},
	} {
		t.Run(c.pkg.ImportPath+"/"+c.want, func(t *testing.T) {
			g := NewWithT(t)
			found := checkArrows([]goPackage{c.pkg})
			if c.want == "" {
				g.Expect(found).To(BeEmpty())
			} else {
				g.Expect(found).To(HaveExactElements(ContainSubstring(c.want)))
			}
		})
	}
}
