//go:build !linux

package faults

type exhaustingFDs struct {
	FDs
	notHere
}
