package cgroup

import (
	"errors"
	"os"
	"testing"

	. "github.com/onsi/gomega"
)

func TestOwnedListsWhatExists(t *testing.T) {
	g := NewWithT(t)
	group, err := Create("owned", Memory)
	var unsupported *UnsupportedError
	if errors.As(err, &unsupported) {
		t.Skipf("needs a memory cgroup: %v", err)
	}
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(Owned(os.Getpid())).To(ContainElement(group.Dir(Memory)))
	g.Expect(group.Remove()).To(Succeed())
	g.Expect(Owned(os.Getpid())).NotTo(ContainElement(group.Dir(Memory)))
}
