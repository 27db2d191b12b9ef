//go:build !linux

package pool

import "os"

func startProcess(spawnSpec) (process, error) { return nil, ErrUnsupported }

func workerMain() { os.Exit(1) }

func guardianMain() { os.Exit(1) }

func (p *Pool) startGuardian() error { return nil }
