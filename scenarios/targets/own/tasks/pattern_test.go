package tasks

import (
	"testing"

	. "github.com/onsi/gomega"
)

// The payloads of two tasks differ, so that a swapped one is found out.
func TestPatternsDiffer(t *testing.T) {
	g := NewWithT(t)
	g.Expect(pattern(1, 64)).NotTo(Equal(pattern(2, 64)))
	g.Expect(pattern(1, 64)).To(Equal(pattern(1, 64)))
	g.Expect(pattern(1, 0)).To(BeEmpty())
}
