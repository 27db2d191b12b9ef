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

// As of process 1 of two pid namespaces that share a tree, or of one whose number another had that left a group behind.
func TestTheGroupsOfTwoProcessesOfOneNumberDoNotCollide(t *testing.T) {
	g := NewWithT(t)
	mine, err := Create("twin", Memory)
	var unsupported *UnsupportedError
	if errors.As(err, &unsupported) {
		t.Skipf("needs a memory cgroup: %v", err)
	}
	g.Expect(err).NotTo(HaveOccurred())
	defer mine.Remove()
	own := token
	defer func() { token = own }()
	token = func() string { return "0therone" }
	other, err := Create("twin", Memory)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(other.Dir(Memory)).NotTo(Equal(mine.Dir(Memory)))
	g.Expect(Owned(os.Getpid())).To(ContainElements(mine.Dir(Memory), other.Dir(Memory)))
	g.Expect(other.Remove()).To(Succeed())
}
