package pooltest_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/pool/pooltest"
)

// A test of one's own tasks kills a worker and expects its slot back. The test program calls pool.Main first, in
// TestMain.
func Example() {
	_ = func(t *testing.T) {
		g := NewWithT(t)
		p, err := pool.New(t.Context(), pool.Config{Size: 4})
		g.Expect(err).NotTo(HaveOccurred())
		defer p.Close()
		before := p.Workers()
		if _, err := pooltest.Kill(p, 0); err != nil {
			t.Fatal(err)
		}
		g.Expect(p).To(pooltest.RecoverWithin(10 * time.Second))
		g.Expect(p).To(pooltest.HaveTurnedOver(before, 1))
		g.Expect(double.Call(t.Context(), p, 21)).To(Equal(42))
	}
}

// Where a handler is tested and not the process that it runs in, workers in the test's own process start faster.
func ExampleInProcess() {
	_ = func(t *testing.T) {
		p := pooltest.InProcess(t, pool.Config{Size: 2})
		fmt.Println(double.Call(t.Context(), p, 21))
	}
}
