package procfs

import "golang.org/x/sys/unix"

var ownCalls = map[string]int{
	"poll": unix.SYS_POLL, "select": unix.SYS_SELECT, "epoll_wait": unix.SYS_EPOLL_WAIT, "pause": unix.SYS_PAUSE,
	"open": unix.SYS_OPEN,
}
