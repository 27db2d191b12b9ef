package check_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/workers/check"
)

// registry allows that tests install what the packages are built with.
var registry = flag.Bool("registry", false, "ask package registries for what a package is built with")

// run runs a command in the directory and gives what it prints, or ends the test.
func run(t *testing.T, dir string, argv ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// only gives the one file of that pattern.
func only(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v: want one file", pattern, found, err)
	}
	return found[0]
}

// installed checks the worker that is that file's text, in a directory without the SDK.
func installed(t *testing.T, dir, interpreter, name, text string) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)).To(Succeed())
	r, err := check.Check(context.Background(), check.Command{Argv: []string{interpreter, name}, Dir: dir})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.OK()).To(BeTrue(), r.String())
}

// As a registry has them: built, and installed where nothing else is.
func TestThePackagesForPythonAreBuiltAndPassTheCheck(t *testing.T) {
	if !*registry {
		t.Skip("its tools come from a registry: run with -args -registry")
	}
	if out, err := exec.Command("python3", "-m", "venv", "--help").CombinedOutput(); err != nil {
		t.Skipf("there is no python3 with venv here: %v %s", err, out)
	}
	t.Parallel()
	g, dir := NewWithT(t), t.TempDir()
	source := filepath.Join(dir, "source")
	g.Expect(os.CopyFS(source, os.DirFS("../python"))).To(Succeed())
	run(t, dir, "python3", "-m", "venv", "tools")
	run(t, dir, "tools/bin/pip", "install", "--quiet", "--disable-pip-version-check", "build")
	said := run(t, source, "../tools/bin/python", "-m", "build")
	g.Expect(said).NotTo(MatchRegexp(`(?i)deprecated`), "what its tools will soon refuse")
	for kind, file := range map[string]string{
		"wheel": only(t, source+"/dist/*.whl"), "sdist": only(t, source+"/dist/*.tar.gz"),
	} {
		run(t, dir, "python3", "-m", "venv", kind)
		run(t, dir, kind+"/bin/pip", "install", "--quiet", "--disable-pip-version-check", file)
		installed(t, dir, filepath.Join(dir, kind, "bin", "python"), "worker.py", "import respawn\n\nrespawn.serve()\n")
	}
}

func TestThePackageForNodePassesTheCheck(t *testing.T) {
	takes.Long(t)
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skipf("there is no npm here: %v", err)
	}
	t.Parallel()
	g, dir := NewWithT(t), t.TempDir()
	source, err := filepath.Abs("../node")
	g.Expect(err).NotTo(HaveOccurred())
	run(t, dir, "npm", "pack", "--silent", source)
	g.Expect(os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private": true}`), 0o644)).To(Succeed())
	run(t, dir, "npm", "install", "--offline", "--no-audit", "--no-fund", only(t, dir+"/*.tgz"))
	installed(t, dir, "node", "worker.mjs", "import { serve } from \"respawn-worker\";\n\nserve();\n")
}
