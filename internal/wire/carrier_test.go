package wire_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/wire"
)

func TestWhatIsCarriedComesBack(t *testing.T) {
	g := NewWithT(t)
	for _, c := range []wire.Carrier{
		{},
		{Key: "k"},
		{Key: "\x00odd"},
		{Deadline: time.Unix(5, 7)},
		{Key: "k", Deadline: time.Unix(5, 7), Meta: map[string]string{"traceparent": "00-1", "": "", "n": "\x00"}},
	} {
		text := c.Encode()
		g.Expect(wire.DecodeCarrier(text)).To(Equal(c))
		for n := range len(text) {
			g.Expect(func() { wire.DecodeCarrier(text[:n]) }).NotTo(Panic())
		}
	}
	g.Expect(wire.Carrier{Key: "plain"}.Encode()).To(Equal("plain"))
}
