package yamlpos_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/yamlpos"
)

func TestWhatIsNoDocumentIsToldWithItsPlace(t *testing.T) {
	for _, c := range []struct {
		text         string
		line, column int
		says         string
	}{
		{"", 0, 0, "the file is empty: want name: x"},
		{"# only this\n\n  # and this\n", 0, 0, "the file is empty: want name: x"},
		{"a: 1\nb: [\n", 3, 1, "not YAML: "},
		{"a: 1\n  b: 2\n", 2, 4, "not YAML: mapping values are not allowed"},
		{"---\na: 1\n---\nb: 2\n", 3, 1, "a second YAML document begins here: want one thing a file"},
		{"a: *nowhere\n", 1, 4, "not YAML: unknown anchor"},
	} {
		t.Run(c.text, func(t *testing.T) {
			g := NewWithT(t)
			_, m := yamlpos.Root([]byte(c.text), "thing", "name: x")
			g.Expect(m).NotTo(BeNil())
			g.Expect(m.Text).To(HavePrefix(c.says))
			g.Expect([]int{m.Line, m.Column}).To(Equal([]int{c.line, c.column}), m.Text)
		})
	}
}

func TestTheRootIsTheDocumentsValue(t *testing.T) {
	g := NewWithT(t)
	n, m := yamlpos.Root([]byte("# a comment\n---\na: 1\na: 2\n"), "thing", "")
	g.Expect(m).To(BeNil())
	g.Expect(n.Content).To(HaveLen(4), "keys that are there twice are both there")
	g.Expect(n.Content[2].Line).To(Equal(4))
}
