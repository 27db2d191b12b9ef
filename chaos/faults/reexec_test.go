package faults_test

import (
	"os"
	"os/exec"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

func TestAProgramThatForgetsMainIsRefusedAHog(t *testing.T) {
	g := NewWithT(t)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), envForgets+"=1")
	out, err := cmd.CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(out)).To(Equal("start a hog: " + pool.ErrMainNotCalled.Error()))
}
