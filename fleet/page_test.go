package fleet_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
)

// TestTheProgramOfThePageRunsAsPrinted builds the program that docs/fleet.md shows, with this module in place of the
// published one, starts it as a node and as an owner, and reads its answer.
func TestTheProgramOfThePageRunsAsPrinted(t *testing.T) {
	t.Parallel()
	takes.Seconds(t)
	g := NewWithT(t)
	page, err := os.ReadFile("../docs/fleet.md")
	g.Expect(err).NotTo(HaveOccurred())
	program := regexp.MustCompile("(?s)```go\n(package main.*?)```").FindSubmatch(page)
	g.Expect(program).NotTo(BeNil())
	b := listening(t)
	text := strings.Replace(string(program[1]), "nats://127.0.0.1:4222", b.URL(), 1)
	dir, err := os.MkdirTemp(".", "page") // within the module, so that it is built with what the module has
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	g.Expect(os.WriteFile(filepath.Join(dir, "main.go"), []byte(text), 0o600)).To(Succeed())
	binary := filepath.Join(t.TempDir(), "numbers")
	out, err := exec.Command("go", "build", "-o", binary, "./"+dir).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(out))

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	node := exec.Command(binary, "node")
	g.Expect(node.Start()).To(Succeed())
	t.Cleanup(func() {
		_ = node.Process.Kill()
		_ = node.Wait()
	})
	out, err = exec.CommandContext(ctx, binary).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(out))
	g.Expect(string(out)).To(Equal("49 <nil>\n"))
}
