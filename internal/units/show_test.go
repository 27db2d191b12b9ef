package units_test

import (
	"math"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/units"
)

func TestWhatPeopleReadHasThreeDigitsItsUnitAndCommas(t *testing.T) {
	g := NewWithT(t)
	for v, want := range map[float64]string{
		0.0000293: "29.3µs", 0.1321: "132ms", 1.934: "1.93s", 90: "1m30s", 120: "2m", 0: "0s", -0.5: "-500ms",
		math.Inf(1): "never", math.NaN(): "NaN",
	} {
		g.Expect(units.Time(v)).To(Equal(want))
	}
	for v, want := range map[float64]string{
		0: "0B", 512: "512B", 1 << 10: "1KiB", 2500 << 10: "2.44MiB", 24683656 << 10: "23.5GiB", -(3 << 20): "-3MiB",
	} {
		g.Expect(units.Size(v)).To(Equal(want))
	}
	for v, want := range map[float64]string{
		0: "0", 999: "999", 76355: "76,355", -1000: "-1,000", 1234567: "1,234,567", 3.8234: "3.82", 12345.6: "12,300",
		math.Inf(1): "+Inf",
	} {
		g.Expect(units.Number(v)).To(Equal(want))
	}
}
