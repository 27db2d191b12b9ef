package pooltest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool/pooltest"
)

// heard is a test whose errors are kept.
type heard struct {
	testing.TB
	said []string
}

func (h *heard) Helper() {}

func (h *heard) Error(args ...any) { h.said = append(h.said, fmt.Sprint(args...)) }

var wants = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// The program says beside each line what is to be found there.
func TestVetFindsWhatHandlersTakeFromMain(t *testing.T) {
	g, h := NewWithT(t), &heard{TB: t}
	pooltest.Vet(h, "testdata/takes")
	text, err := os.ReadFile("testdata/takes/main.go")
	g.Expect(err).NotTo(HaveOccurred())
	path, err := filepath.Abs("testdata/takes/main.go")
	g.Expect(err).NotTo(HaveOccurred())
	var all []any
	for i, line := range strings.Split(string(text), "\n") {
		_, want, _ := strings.Cut(line, "// want ")
		for _, quoted := range wants.FindAllString(want, -1) {
			expr, err := strconv.Unquote(quoted)
			g.Expect(err).NotTo(HaveOccurred())
			all = append(all, MatchRegexp("%s:%d:.*%s", regexp.QuoteMeta(path), i+1, expr))
		}
	}
	g.Expect(all).To(HaveLen(8))
	g.Expect(h.said).To(ConsistOf(all...))
}

func TestVetFindsNothingWhereHandlersAreGivenWhatTheyNeed(t *testing.T) {
	g, h := NewWithT(t), &heard{TB: t}
	pooltest.Vet(h, "testdata/given")
	g.Expect(h.said).To(BeEmpty())
}

func TestVetSaysWhatItCannotRead(t *testing.T) {
	g, h := NewWithT(t), &heard{TB: t}
	pooltest.Vet(h, t.TempDir(), "testdata")
	g.Expect(h.said).To(ConsistOf(ContainSubstring("no go.mod"), ContainSubstring("no buildable Go")))
}
