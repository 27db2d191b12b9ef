package driver

import (
	"testing"

	. "github.com/onsi/gomega"
)

// The numbers are those of docs/drivers.md.
func TestWhatAnEchoIsToBeAnsweredWith(t *testing.T) {
	g := NewWithT(t)
	g.Expect(payload(17, 4)).To(Equal([]byte{62, 210, 117, 76}))
	g.Expect(job{task: "echo", bytes: 1 << 20}.right(17)).To(Equal("275785518"))
}
