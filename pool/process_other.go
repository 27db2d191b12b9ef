//go:build !linux

package pool

import "os"

func startProcess(spawnSpec) (process, error) { return nil, ErrUnsupported }

func openDir(string) (*os.File, error) { return nil, nil }

func workerMain(string) { os.Exit(1) }
