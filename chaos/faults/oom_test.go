package faults

import (
	"context"
	"errors"
	"testing"

	"github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// weaker stands for the mechanism that is used where a cgroup is refused.
type weaker struct{ chaos.Injection }

func (weaker) Confirm(context.Context, *chaos.Case) (history.Receipt, error) {
	return history.Receipt{Mechanism: "RLIMIT_DATA", Evidence: map[string]string{"ended": "exit 2"}}, nil
}

func TestTheReceiptSaysWhyNoCgroupLimitedTheVictim(t *testing.T) {
	g := gomega.NewWithT(t)
	r, err := (&oomByAny{Injection: weaker{}, refused: errors.New("no memory controller here")}).Confirm(t.Context(),
		nil)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(r.Evidence).
		To(gomega.Equal(map[string]string{"ended": "exit 2", "no cgroup": "no memory controller here"}))
}
