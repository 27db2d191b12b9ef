package broker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/fleet/broker"
	"github.com/respawn-go/respawn/internal/takes"
)

// smallDisk is a directory on a file system of its own in memory, which is gone with the test however that ends.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		t.Skipf("no file system of its own can be made here (it takes root and Linux 5.2): %v", err)
	}
	defer unix.Close(fs)
	g := NewWithT(t)
	g.Expect(unix.FsconfigSetString(fs, "size", fmt.Sprint(bytes))).To(Succeed())
	g.Expect(unix.FsconfigCreate(fs)).To(Succeed())
	root, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = unix.Close(root) })
	return fmt.Sprintf("/proc/self/fd/%d", root)
}

// nats-server leaves publishes unanswered for good once a disk was full.
func TestABrokerStoresAgainOnceItsDiskHasRoom(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	dir := smallDisk(t, 8<<20)
	b, err := broker.Start(broker.Config{Port: -1, Dir: dir + "/store"})
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { g.Expect(b.Close()).To(Succeed()) }()
	url := b.URL()
	connect := func(opts ...nats.Option) jetstream.JetStream {
		nc, err := nats.Connect(url, append(opts, nats.ReconnectWait(50*time.Millisecond), nats.MaxReconnects(-1))...)
		g.Expect(err).NotTo(HaveOccurred())
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		g.Expect(err).NotTo(HaveOccurred())
		return js
	}
	outside, inside := connect(), connect(b.Options()...)
	publish := func(js jetstream.JetStream) error {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, err := js.Publish(ctx, "s", make([]byte, 32<<10))
		return err
	}
	stream, err := outside.CreateStream(t.Context(),
		jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Storage: jetstream.FileStorage})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(publish(outside)).To(Succeed())

	ballast, err := os.Create(dir + "/ballast")
	g.Expect(err).NotTo(HaveOccurred())
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
	g.Expect(errors.Is(err, syscall.ENOSPC)).To(BeTrue(), "%v", err)
	g.Expect(publish(outside)).NotTo(Succeed())
	g.Expect(ballast.Truncate(0)).To(Succeed())

	for _, js := range []jetstream.JetStream{outside, inside} {
		g.Eventually(func() error { return publish(js) }).WithTimeout(time.Minute).Should(Succeed())
	}
	g.Expect(b.URL()).To(Equal(url))
	first, err := stream.GetMsg(t.Context(), 1)
	g.Expect(err).NotTo(HaveOccurred(), "what it had kept it has")
	g.Expect(first.Data).To(HaveLen(32 << 10))
}
