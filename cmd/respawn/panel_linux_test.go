package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/scenarios"
)

// pseudoTerminal is one of the kernel's, and what is to be seen on it.
func pseudoTerminal(t *testing.T, wide, high int) (tty *os.File, shown *terminal, resize func(wide, high int)) {
	t.Helper()
	g := NewWithT(t)
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals: ", err)
	}
	fd := int(master.Fd())
	g.Expect(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)).To(Succeed())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	g.Expect(err).NotTo(HaveOccurred())
	tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		_ = master.Close()
		t.Skip("no pseudo terminals: ", err)
	}
	shown = newTerminal(wide, high)
	resize = func(wide, high int) {
		shown.resize(wide, high)
		g.Expect(unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(wide), Row: uint16(high)})).
			To(Succeed())
	}
	resize(wide, high)
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(shown, master) // until the last who has the terminal closes it
	}()
	t.Cleanup(func() {
		_ = tty.Close()
		<-read
		_ = master.Close()
	})
	return tty, shown, resize
}

// storm is the progress of a run with so many slots.
func storm(slots int) scenarios.Progress {
	p := scenarios.Progress{
		At: 12 * time.Second, Planned: 34 * time.Second, Stage: "chaos", Ready: slots - 1, Want: slots,
		Confirmed: 1234, Failed: 3, Recovered: 1233, Waiting: 1, Tasks: 1_276_355, Bad: 21,
		Slots: make([]scenarios.SlotState, slots),
	}
	p.Slots[slots/2], p.Slots[1], p.Slots[2] = scenarios.SlotDown, scenarios.SlotStarting, scenarios.SlotStruck
	return p
}

// The figures are whole, each slot is in a cell and what happened last is below, in windows of all sizes, and also
// after the window has got another one; when the panel ends, nothing is left of it but what was said.
func TestThePanelStaysInPlaceInWindowsOfAllSizes(t *testing.T) {
	for _, wide := range []int{20, 40, 80, 200} {
		for _, slots := range []int{8, 100, 1000} {
			t.Run(fmt.Sprintf("%d slots in %d columns", slots, wide), func(t *testing.T) {
				t.Parallel()
				g := NewWithT(t)
				tty, shown, resize := pseudoTerminal(t, wide, 24)
				fmt.Fprintln(tty, "before")
				d := newPanel(tty, "a-scenario")
				p := storm(slots)
				for n := 1; n <= 20; n++ {
					p.News = fmt.Sprintf(
						"#%d signal KILL on slot %d pid 123 (busy): back as pid %d after 5.1ms, and 漢字",
						n, n%slots, 1000+n)
					d.update(p)
				}
				whole := func(tasks string, wide, high int) func(g Gomega) {
					return func(g Gomega) {
						text := shown.text()
						flat := strings.Join(strings.Fields(text), " ")
						for _, part := range append(figures(p), "chaos, ", "left", tasks+" tasks", "1 down ×") {
							g.Expect(flat).To(ContainSubstring(part), text)
						}
						g.Expect(strings.Count(text, "a-scenario")).To(Equal(1), text)
						if wide > 30 {
							g.Expect(text).To(MatchRegexp(`(?m)^ +12\.00s  #\d`), text)
						}
						for row := range strings.Lines(text) {
							g.Expect(len([]rune(strings.TrimSuffix(row, "\n")))).To(BeNumerically("<", wide), text)
						}
						g.Expect(strings.Count(text, "\n")+1).To(BeNumerically("<=", high), text)
						if slots == 8 || wide == 200 {
							g.Expect(strings.Count(text, "■")).To(Equal(slots-3+1),
								"a cell a slot, and the legend\n"+text)
						}
					}
				}
				g.Eventually(whole("1,276,355", wide, 24)).Should(Succeed())
				p.Tasks++
				d.update(p)
				g.Eventually(whole("1,276,356", wide, 24)).Should(Succeed())
				resize(wide-5, 24)
				p.Tasks++
				d.update(p)
				g.Eventually(whole("1,276,357", wide-5, 24)).Should(Succeed())
				resize(wide+5, 24)
				p.Tasks++
				d.update(p)
				g.Eventually(whole("1,276,358", wide+5, 24)).Should(Succeed())
				g.Expect(d.say("kept\n")).To(BeTrue())
				d.end()
				g.Eventually(shown.text).Should(HaveSuffix("kept"))
				g.Expect(shown.text()).NotTo(ContainSubstring("■"))
				if slots == 8 && wide >= 80 { // a panel that was always whole in the window
					g.Expect(shown.text()).To(Equal("before\nkept"))
				}
				g.Expect(shown.hidden || shown.nowrap).To(BeFalse())
				g.Expect(d.say("too late")).To(BeFalse())
			})
		}
	}
}

// A window without room for all of it has the figures.
func TestAPanelWithoutRoomKeepsItsFigures(t *testing.T) {
	g := NewWithT(t)
	d := &panel{name: "a-scenario"}
	p := storm(1000)
	for high := 2; high < 40; high++ {
		list := d.lines(p, []happened{{0, "#1"}}, 80, high)
		g.Expect(len(list)).To(BeNumerically("<", high))
		var text strings.Builder
		for _, l := range list {
			text.WriteString(l.paint(false) + " ")
		}
		if high > 2 {
			g.Expect(text.String()).To(ContainSubstring("1,276,355 tasks"))
		}
	}
}

// On a terminal Ctrl-C takes the panel away, and what was said and the verdict are there.
func TestCtrlCTakesThePanelOffTheTerminal(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	tty, shown, resize := pseudoTerminal(t, 80, 24)
	cmd := apart(t, "run", "stormy.yaml", "--out", "out")
	cmd.Env = append(cmd.Env, "TERM=xterm")
	g.Expect(os.WriteFile(filepath.Join(cmd.Dir, "stormy.yaml"), []byte(stormy), 0o600)).To(Succeed())
	cmd.Stdout, cmd.Stderr = tty, tty
	g.Expect(cmd.Start()).To(Succeed())
	g.Eventually(shown.text).WithTimeout(time.Minute).
		Should(MatchRegexp(`(?s)^stormy  chaos, .* left.*ready 2/2, .* confirmed.* up ■.*pause 50ms on slot`))
	resize(40, 24)
	g.Expect(cmd.Process.Signal(os.Interrupt)).To(Succeed())
	_ = cmd.Wait()
	g.Expect(cmd.ProcessState.ExitCode()).To(Equal(exitInterrupted))
	g.Eventually(shown.text).Should(ContainSubstring("report: out/stormy/report.html"))
	g.Expect(shown.text()).To(HavePrefix("respawn: stopping: "))
	g.Expect(shown.text()).NotTo(ContainSubstring("■"))
	g.Expect(shown.hidden || shown.nowrap).To(BeFalse())
}

// A terminal that was stopped with Ctrl-S holds up neither the run nor, for long, its end.
func TestAStoppedTerminalHoldsUpNobody(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	read, write := io.Pipe()
	d := newPanel(write, "a-scenario")
	for range 10_000 {
		d.update(storm(100))
	}
	d.end()
	g.Expect(d.stopped).NotTo(BeClosed())
	g.Expect(read.Close()).To(Succeed()) // lets go of the writer
	g.Eventually(d.stopped).Should(BeClosed())
}

// BenchmarkPanel draws a thousand slots; cpu% is what ten times a second take of one processor.
func BenchmarkPanel(b *testing.B) {
	d := &panel{w: io.Discard, name: "a-scenario", colours: true}
	p, news := storm(1000), make([]happened, mostNews)
	for b.Loop() {
		d.draw(d.lines(p, news, 200, 60), 200)
	}
	b.ReportMetric(100*float64(time.Second/drawEvery)*b.Elapsed().Seconds()/float64(b.N), "cpu%")
}
