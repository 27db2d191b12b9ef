package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// Whether the maker of another namespace's group lives cannot be told by its number: an empty one may be about to be
// used.
func TestSweepLeavesTheGroupsOfOtherNamespacesAlone(t *testing.T) {
	g := NewWithT(t)
	made, err := Create("place", Memory)
	var unsupported *UnsupportedError
	if errors.As(err, &unsupported) {
		t.Skipf("needs a memory cgroup: %v", err)
	}
	g.Expect(err).NotTo(HaveOccurred())
	parent := filepath.Dir(made.Dir(Memory))
	g.Expect(made.Remove()).To(Succeed())
	const nobody = 1<<22 + 1 // no pid is as large
	foreign := filepath.Join(parent, fmt.Sprintf("respawn-%d-1.0123abcd-worker", nobody))
	dead := filepath.Join(parent, fmt.Sprintf("respawn-%d-%s.0123abcd-worker", nobody, namespace()))
	for _, dir := range []string{foreign, dead} {
		g.Expect(os.Mkdir(dir, 0o755)).To(Succeed())
		defer os.Remove(dir)
	}
	removed, _ := Sweep() // others' groups may hold processes
	g.Expect(removed).To(ContainElement(dead))
	g.Expect(removed).NotTo(ContainElement(foreign))
	g.Expect(foreign).To(BeADirectory())
}
