package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
)

// The guide in docs/gate.md is typed as it stands: its files are made, its commands are run one after the other, and
// what it shows of their output is there, in that order.
func TestTheGuideOfTheGateDoesWhatItSays(t *testing.T) {
	takes.Long(t) // it builds a module of its own and runs it six times
	g := NewWithT(t)
	root, err := filepath.Abs("../..")
	g.Expect(err).NotTo(HaveOccurred())
	page, err := os.ReadFile(filepath.Join(root, "docs", "gate.md"))
	g.Expect(err).NotTo(HaveOccurred())
	_, guide, ok := strings.Cut(string(page), "## The gate for a pool of your own")
	g.Expect(ok).To(BeTrue())
	guide, _, _ = strings.Cut(guide, "\n## ")

	dir, bin := t.TempDir(), t.TempDir()
	module(g, root, dir)
	self, err := exec.LookPath("respawn")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.Symlink(self, filepath.Join(bin, "respawn"))).To(Succeed())
	files := regexp.MustCompile("(?s)[*][*]([\\w./-]+)[*][*]:\n\n```(?:go|yaml)\n(.*?)```\n").
		FindAllStringSubmatch(guide, -1)
	g.Expect(files).To(HaveLen(3))
	for _, f := range files {
		g.Expect(os.MkdirAll(filepath.Dir(filepath.Join(dir, f[1])), 0o755)).To(Succeed())
		write(g, filepath.Join(dir, f[1]), f[2])
	}
	typed := 0
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```\n").FindAllStringSubmatch(guide, -1) {
		for _, lines := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			typed++
			command, shown, _ := strings.Cut(lines, "\n")
			cmd := exec.Command("bash", "-c", command)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "TMPDIR="+t.TempDir(), "GOFLAGS=-mod=mod",
				"GOPROXY=off", "GOWORK=off", "RESPAWN_OUT=", "RESPAWN_REPLAY=", "GITHUB_ACTIONS=")
			out, _ := cmd.CombinedOutput() // what it shows tells
			rest := string(out)
			for line := range strings.Lines(shown) {
				_, after, there := strings.Cut(rest, strings.TrimRight(line, "\n"))
				g.Expect(there).To(BeTrue(), "$ %s\n%s\nhas no %q, or before the line above it", command, out, line)
				rest = after
			}
		}
	}
	g.Expect(typed).To(BeNumerically(">", 8))
}

// module makes an empty module in the directory that takes everything from this one.
func module(g *WithT, root, dir string) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	g.Expect(err).NotTo(HaveOccurred())
	text := strings.Replace(string(mod), "module github.com/respawn-go/respawn\n", "module example.com/shout\n", 1)
	text += "\nrequire github.com/respawn-go/respawn v0.0.0\n\nreplace github.com/respawn-go/respawn => " + root + "\n"
	write(g, filepath.Join(dir, "go.mod"), text)
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	g.Expect(err).NotTo(HaveOccurred())
	write(g, filepath.Join(dir, "go.sum"), string(sums))
}
