package main

import (
	"bufio"
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// The harness makes the same payload by itself, and so would any other driver: the numbers are those of
// docs/drivers.md.
func TestThePayloadOfAnEchoIsTheOneOfTheProtocol(t *testing.T) {
	g := NewWithT(t)
	g.Expect(targetArg{N: 17, Bytes: 4}.payload()).To(Equal([]byte{62, 210, 117, 76}))
	g.Expect(crc32.ChecksumIEEE(targetArg{N: 17, Bytes: 1 << 20}.payload())).To(BeEquivalentTo(275785518))
}

// envOrphan names the witness of a process that runs a task once its parent is gone.
const envOrphan = "RESPAWN_TEST_ORPHAN"

func orphan(path string) {
	fmt.Println("started")
	for ofNode() {
		<-time.After(time.Millisecond)
	}
	if _, err := runWitnessed(context.Background(), witnessedTask{ID: 7, Witness: path}); err == nil {
		fmt.Println("the task ran")
	}
	if err := endNode(); err == nil { // it is gone, and whoever is the parent now is somebody else
		fmt.Println("the parent after it was signalled")
	}
	fmt.Println("done")
	os.Exit(0)
}

// A worker whose node is dead may have a task before it hears of that.
func TestAWorkerWhoseNodeIsDeadRunsNothing(t *testing.T) {
	g, path := NewWithT(t), filepath.Join(t.TempDir(), "witness")
	parent := exec.CommandContext(t.Context(), "sh", "-c", `"$0" & read line`, os.Args[0])
	parent.Env = append(os.Environ(), envOrphan+"="+path)
	in, err := parent.StdinPipe()
	g.Expect(err).NotTo(HaveOccurred())
	out, w, err := os.Pipe()
	g.Expect(err).NotTo(HaveOccurred())
	defer out.Close()
	parent.Stdout = w
	g.Expect(parent.Start()).To(Succeed())
	g.Expect(w.Close()).To(Succeed())
	lines := bufio.NewReader(out)
	g.Expect(lines.ReadString('\n')).To(Equal("started\n"))
	g.Expect(in.Close()).To(Succeed())
	_ = parent.Wait() // nothing was read
	g.Expect(lines.ReadString('\n')).To(Equal("done\n"))
	g.Expect(path).NotTo(BeAnExistingFile())
}
