package process

import (
	"io"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/procfs"
)

// The poller tells once of what has come and of the end behind it.
func TestTheEndOfAProcessIsReadThoughItCameWithTheLastBytes(t *testing.T) {
	for name, order := range map[string]func(read, await func()){
		"read first":    func(read, await func()) { read(); await() },
		"awaited first": func(read, await func()) { await(); read() },
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			p, err := Start(Spec{Worker: lastWords, MaxPayload: 1 << 20})
			g.Expect(err).NotTo(HaveOccurred())
			g.Eventually(func() (procfs.Proc, error) { return procfs.Read(p.PID()) }).WithTimeout(20 * time.Second).
				Should(HaveField("State", BeEquivalentTo('Z')))
			came := make(chan error, 1)
			var all string
			read := func() {
				go func() {
					var err error
					b := make([]byte, 100)
					for err == nil {
						err = p.Receive(func() []byte { return b },
							func(n int) bool { all += string(b[:n]); return true })
					}
					came <- err
				}()
			}
			order(read, p.AwaitDeath)
			g.Eventually(came).WithTimeout(20 * time.Second).Should(Receive(MatchError(io.EOF)))
			g.Expect(all).To(Equal("x"))
			p.Wait()
			p.Close()
		})
	}
}
