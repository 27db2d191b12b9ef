package localfleet

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoDisk is returned by Start where brokers cannot have disks of their own.
var ErrNoDisk = errors.New("no file system of its own can be made for a broker here")

// LeastDisk is what a broker's disk must hold: the bytes of what it stores before anything is stored, and some room.
const LeastDisk = 4 << 20

// disk is a file system in memory, of so many bytes and without a name: who has a descriptor of its root reaches it,
// and it is gone with the last of these, however their processes end.
type disk struct {
	root *os.File

	mu      sync.Mutex
	ballast *os.File // nil while it is not filled
	facts   Filled
	stop    chan struct{}
	stopped chan struct{}
}

// Filled is what was done to a broker's disk.
type Filled struct {
	Before  int64 // bytes that were free before
	Full    int64 // and once the system refused to store more (ENOSPC)
	Most    int64 // and at most until room was made: a broker removes files, too, and what is free then is filled again
	After   int64 // and when room had been made
	Written int64 // bytes that filled it, in all
	Refused int   // writes for which there was no room
}

// Of the descriptors of a broker its disk is the first after standard error.
const diskInBroker = "/proc/self/fd/3/store"

// store is the broker's directory on it, as this process reaches it.
func (d *disk) store() string { return d.path("store") }

func (d *disk) path(name string) string { return fmt.Sprintf("/proc/self/fd/%d/%s", d.root.Fd(), name) }

// topUp is how often a disk is looked at that is kept full.
const topUp = 10 * time.Millisecond

// fill writes until there is no room, and sees to it that there is none, until free.
func (d *disk) fill() (Filled, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ballast != nil {
		return Filled{}, errors.New("the disk is filled already")
	}
	var err error
	d.facts = Filled{}
	if d.facts.Before, err = d.room(); err != nil {
		return Filled{}, err
	}
	if d.ballast, err = os.OpenFile(d.path("ballast"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return Filled{}, err
	}
	if err = d.stuff(); err == nil {
		d.facts.Full, err = d.room()
	}
	if err != nil {
		return Filled{}, errors.Join(err, d.empty())
	}
	d.stop, d.stopped = make(chan struct{}), make(chan struct{})
	go d.keepFull(d.stop, d.stopped)
	return d.facts, nil
}

func (d *disk) keepFull(stop, stopped chan struct{}) {
	defer close(stopped)
	tick := time.NewTicker(topUp)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			d.mu.Lock()
			if room, err := d.room(); err == nil {
				d.facts.Most = max(d.facts.Most, room)
			}
			_ = d.stuff() // what else goes wrong shows in what was refused
			d.mu.Unlock()
		}
	}
}

// stuff writes until the system refuses a page.
func (d *disk) stuff() error {
	zeros, page := make([]byte, 64<<10), os.Getpagesize()
	for {
		n, err := d.ballast.Write(zeros)
		d.facts.Written += int64(n)
		switch {
		case err == nil:
		case !errors.Is(err, syscall.ENOSPC):
			return err
		case len(zeros) > page:
			zeros = zeros[:page]
		default:
			d.facts.Refused++
			return nil
		}
	}
}

// free makes room again.
func (d *disk) free() (Filled, error) {
	d.mu.Lock()
	stop, stopped := d.stop, d.stopped
	d.stop = nil
	d.mu.Unlock()
	if stop == nil {
		return Filled{}, nil
	}
	close(stop)
	<-stopped
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.empty()
	if err == nil {
		d.facts.After, err = d.room()
	}
	return d.facts, err
}

// empty removes what fills it. d.mu is held.
func (d *disk) empty() error {
	err := errors.Join(d.ballast.Close(), os.Remove(d.path("ballast")))
	d.ballast = nil
	return err
}

// room is how many bytes the system would still give.
func (d *disk) room() (int64, error) {
	var s unix.Statfs_t
	err := unix.Statfs(d.path("."), &s)
	return int64(s.Bavail) * int64(s.Bsize), err
}

func (d *disk) close() {
	_, _ = d.free() // it is gone with its last descriptor
	_ = d.root.Close()
}

// Fill fills the disk of a broker until the system refuses to store more, and keeps it so until Free. It takes
// Config.Disk.
func (f *Fleet) Fill(name string) (Filled, error) {
	d, err := f.disk(name)
	if err != nil {
		return Filled{}, err
	}
	return d.fill()
}

// Free makes room again on the disk of a broker. One that is not filled is left alone.
func (f *Fleet) Free(name string) (Filled, error) {
	d, err := f.disk(name)
	if err != nil {
		return Filled{}, err
	}
	return d.free()
}

func (f *Fleet) disk(name string) (*disk, error) {
	for _, m := range f.members {
		if m.Name == name && m.disk != nil {
			return m.disk, nil
		}
	}
	return nil, fmt.Errorf("%q has no disk of its own: Config.Disk", name)
}
