package units_test

import (
	"regexp"
	"testing"

	. "github.com/onsi/gomega"
	"pgregory.net/rapid"

	"github.com/respawn-go/respawn/internal/units"
)

// What a value says of itself is read as the same value again.
func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	for _, c := range []struct {
		text  string
		value units.Scalar
	}{
		{"1m30s", new(units.Duration)},
		{"2m", new(units.Duration)},
		{"3h", new(units.Duration)},
		{"64MiB", new(units.Bytes)},
		{"0B", new(units.Bytes)},
		{"500/s", new(units.Rate)},
		{"20%", new(units.Percent)},
		{"12.5%", new(units.Percent)},
		{"7", new(units.Count)},
		{"4", new(units.Range)},
		{"2..8", new(units.Range)},
	} {
		g := NewWithT(t)
		g.Expect(c.value.Parse(c.text)).To(Succeed(), c.text)
		g.Expect(c.value.String()).To(Equal(c.text))
	}
}

// A number without its unit, and whatever else means nothing, is refused and changes nothing.
func TestWhatMeansNothingIsRefused(t *testing.T) {
	for text, value := range map[string]units.Scalar{
		"5": new(units.Duration), "-5s": new(units.Duration), "64": new(units.Bytes), "1.5MiB": new(units.Bytes),
		"64MB": new(units.Bytes), "500": new(units.Rate), "+5/s": new(units.Rate), "5/d": new(units.Rate),
		"20": new(units.Percent), "101%": new(units.Percent),
		"010": new(units.Count), "-010": new(units.Count), "-1": new(units.Count),
		"99999999999999999999": new(units.Count), "2..": new(units.Range), "..8": new(units.Range),
		"8..2": new(units.Range), "0..2": new(units.Range), "2-8": new(units.Range), "2..8..9": new(units.Range),
	} {
		g := NewWithT(t)
		before := value.String()
		g.Expect(value.Parse(text)).NotTo(Succeed(), text)
		g.Expect(value.String()).To(Equal(before), text)
	}
}

// A zero in front is seen as the pattern sees it, which would make each worker wait for package regexp.
func TestAZeroInFrontIsSeen(t *testing.T) {
	pattern := regexp.MustCompile(`^[+-]?0[0-9]`)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[+-]{0,2}[0-9a]{0,3}`).Draw(t, "text")
		NewWithT(t).Expect(units.LeadingZero(text)).To(Equal(pattern.MatchString(text)), text)
	})
}
