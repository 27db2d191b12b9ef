package conformance

import (
	"errors"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestWhatWasNotTriedOrIsWrongIsNotOK(t *testing.T) {
	g := NewWithT(t)
	fine := Step[error]{Name: "fine", Took: 1200 * time.Microsecond}
	g.Expect(Steps[error]{}.OK()).To(BeFalse(), "nothing was tried")
	g.Expect(Steps[error]{fine}.OK()).To(BeTrue())
	g.Expect(Steps[error]{fine, {Name: "left out", Skipped: "it died"}}.OK()).To(BeFalse())
	g.Expect(Steps[error]{fine, {Name: "wrong", Found: []error{errors.New("no")}}}.OK()).To(BeFalse())
}

func TestAStrangersTextSteersNoTerminalAndFillsNoScreen(t *testing.T) {
	g := NewWithT(t)
	wrong := Step[error]{Name: "wrong", Notes: []string{"a\nb"}}
	for range 12 {
		wrong.Found = append(wrong.Found, errors.New("\x1b[2Jgone\n  ok    everything"))
	}
	text := Steps[error]{wrong}.String()
	g.Expect(text).NotTo(ContainSubstring("\x1b"))
	g.Expect(strings.Split(strings.TrimSpace(text), "\n")).To(HaveLen(1+10+1+1), text)
	g.Expect(text).To(ContainSubstring("… and 2 more"))
	g.Expect(QuoteEnd("1\n2\r\n3\n", 2)).To(Equal("        2\n        3\n"))
}
