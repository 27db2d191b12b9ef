package stack_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/stack"
)

func TestAStackIsWholeHoweverDeep(t *testing.T) {
	var deep func(n int) string
	deep = func(n int) string {
		if n == 0 {
			return stack.Trace()
		}
		return deep(n - 1)
	}
	NewWithT(t).Expect(strings.Count(deep(40), "stack_test.go")).To(BeNumerically(">", 40))
}

func TestAPanicIsPlacedWhereItWasRaised(t *testing.T) {
	g := NewWithT(t)
	at := func(raise func()) (at string) {
		defer func() {
			at = stack.PanickedAt()
			_ = recover()
		}()
		raise()
		return ""
	}
	g.Expect(at(func() { panic("own") })).To(HaveSuffix("stack_test.go:33"))
	g.Expect(at(func() { _ = strings.Fields(" ")[0] })).To(HaveSuffix("stack_test.go:34"),
		"and not in the runtime, which panics for it")
	g.Expect(at(func() {})).To(BeEmpty())
}
