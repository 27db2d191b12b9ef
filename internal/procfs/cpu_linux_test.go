package procfs

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestCPUTimesAreThoseOfTheCPUsThatMayBeUsed(t *testing.T) {
	g := NewWithT(t)
	const stat = "cpu  999 999 999 999 999 999 999 999 0 0\ncpu0 1 2 3 4 5 6 7 8 9 9\n" +
		"cpu1 10 20 30 40 50 60 70 80 0 0\nintr 1\n"
	one, err := parseCPUTimes(stat, func(cpu int) bool { return cpu == 1 })
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(one).To(Equal(CPUTimes{
		CPUs: 1, Busy: 1700 * time.Millisecond, Nice: 200 * time.Millisecond, Stolen: 800 * time.Millisecond,
		Idle: 900 * time.Millisecond,
	}))
	both, _ := parseCPUTimes(stat, func(int) bool { return true })
	g.Expect(both.CPUs).To(Equal(2))
	_, err = parseCPUTimes(stat, func(int) bool { return false })
	g.Expect(err).To(HaveOccurred())
	real, err := ReadCPUTimes()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(real.CPUs).To(BeNumerically(">", 0))
}

func TestPressureIsTheTimeThatSomeTaskWaited(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "cpu.pressure")
	g.Expect(os.WriteFile(path, []byte("some avg10=4.67 avg60=4.08 avg300=6.28 total=36578514\n"+
		"full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"), 0o600)).To(Succeed())
	g.Expect(ReadPressure(path)).To(Equal(36578514 * time.Microsecond))
	g.Expect(os.WriteFile(path, []byte("full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"), 0o600)).To(Succeed())
	_, err := ReadPressure(path)
	g.Expect(err).To(HaveOccurred())
}
