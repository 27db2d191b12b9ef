package cgroup

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// Capability is what this process can do with one controller.
type Capability struct {
	Controller Controller
	Version    int   // of the hierarchy that has the controller; 0 when none has
	Err        error // nil when groups can be made, limited and read; else why not and what to do, an *UnsupportedError
}

// String is one line for people.
func (c Capability) String() string {
	if c.Err != nil {
		return c.Err.Error()
	}
	return fmt.Sprintf("%s cgroup: version %d, writable", c.Controller, c.Version)
}

var probes atomic.Int64

// Probe tries each controller, by making a group and removing it again.
func Probe() []Capability {
	return []Capability{probe(Memory), probe(Pids), probe(CPU)}
}

func probe(c Controller) Capability {
	can := Capability{Controller: c}
	t, err := readTree(self)
	if err != nil {
		can.Err = &UnsupportedError{c, err.Error(), inKernel}
		return can
	}
	at, _ := t.find(c)
	can.Version = at.version
	g, err := Create(fmt.Sprintf("probe-%d", probes.Add(1)), c)
	if err == nil {
		err = errors.Join(g.usable(c), g.Remove())
	}
	var why *UnsupportedError
	if err != nil && !errors.As(err, &why) {
		err = &UnsupportedError{c, err.Error(), newKernel}
	}
	can.Err = err
	return can
}

// usable reads what a fault would need.
func (g *Group) usable(c Controller) (err error) {
	switch c {
	case Memory:
		_, err = g.OOMKills()
	case Pids:
		_, err = g.PidsRefused()
	case CPU:
		if _, err = g.CPUThrottled(); err == nil {
			_, err = g.at[CPU].cpuPeriod()
		}
	}
	return err
}
