package nearest_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/nearest"
)

func TestTheNearestWordIsNamedOrElseAll(t *testing.T) {
	g := NewWithT(t)
	known := []string{"signal", "pause", "memory"}
	for word, want := range map[string]string{
		"signla": `did you mean "signal"?`, "PAUSE": `did you mean "pause"?`, "mem": "known are signal, pause, memory",
		"memry": `did you mean "memory"?`, "": "known are signal, pause, memory", "sgnl": `did you mean "signal"?`,
	} {
		g.Expect(nearest.Meant(word, known)).To(Equal(want), word)
	}
}
