//go:build !linux

package naive

import (
	"syscall"

	"github.com/respawn-go/respawn/chaos/history"
)

// waitExit is for Linux; elsewhere a death is noticed by the next task.
func waitExit(int) { select {} }

func exitOf(st syscall.WaitStatus) *history.Exit {
	if st.Signaled() {
		return &history.Exit{Code: -1, Signal: st.Signal().String(), Kind: "killed"}
	}
	return &history.Exit{Code: st.ExitStatus(), Kind: "crashed"}
}
