package guardian

import (
	"io"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// The host may be killed while it writes a line, and half the path of a directory is another directory.
func TestOnlyAWholeLineIsAnOrder(t *testing.T) {
	g := NewWithT(t)
	read := func(text string) orders {
		return readOrders(strings.NewReader(text), func(int) io.Closer { return nil }, func(string) {})
	}
	g.Expect(read("remove /data/somebody/tmp\nremove /data/somebo").remove).
		To(Equal(map[string]bool{"/data/somebody/tmp": true}))
	long := read("remove /" + strings.Repeat("x", 1<<20) + "\nremove /b\nbye\n")
	g.Expect(long.remove).To(And(HaveLen(2), HaveKey("/b")))
	g.Expect(long.bye).To(BeTrue(), "a long line is not the end of the pipe")
}

// counted counts what a guardian holds.
type counted struct{ open *int }

func (h counted) Close() error {
	*h.open--
	return nil
}

func FuzzReadOrders(f *testing.F) {
	f.Add("watch 10 0 \nwatch 11 2 /sys/fs/cgroup/x y\nforget 10\nundo /a b\ncont 12 w\ndone 12\ndone /a\nbye\n" +
		"watch 13 0 \n")
	f.Add("watch 1 0 \nwatch -1 0 \nwatch 10 0 \nwatch 10 1 /x\ncont 0\ncont 14\ncont 14\n")
	f.Fuzz(func(t *testing.T, lines string) {
		open := 0
		o := readOrders(strings.NewReader(lines), func(int) io.Closer {
			open++
			return counted{&open}
		}, func(string) {})
		for pid := range o.watched {
			if pid <= 1 {
				t.Fatalf("pid %d is never a worker", pid)
			}
		}
		if want := len(o.watched) + len(o.cont); open != want {
			t.Fatalf("%d processes are held, of %d watched or to be continued", open, want)
		}
	})
}
