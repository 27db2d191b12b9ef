//go:build !linux

package chaos

type exhaustingFDs struct {
	FDs
	notHere
}
