package pool

import (
	"io"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// The host may be killed while it writes a line, and half the path of a directory is another directory.
func TestOnlyAWholeLineIsAnOrder(t *testing.T) {
	g := NewWithT(t)
	read := func(text string) guardianOrders {
		return readOrders(strings.NewReader(text), func(int) io.Closer { return nil })
	}
	g.Expect(read("remove /data/somebody/tmp\nremove /data/somebo").remove).To(Equal(map[string]bool{"/data/somebody/tmp": true}))
	long := read("remove /" + strings.Repeat("x", 1<<20) + "\nremove /b\nbye\n")
	g.Expect(long.remove).To(And(HaveLen(2), HaveKey("/b")))
	g.Expect(long.bye).To(BeTrue(), "a long line is not the end of the pipe")
}
