package procfs

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// Listeners is the sockets that listen at a TCP port in the network namespace of pid, by the names that links to them
// have.
func Listeners(pid, port int) (map[string]bool, error) {
	all, err := Listening(pid)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for socket, at := range all {
		if at == port {
			found[socket] = true
		}
	}
	return found, nil
}

// Listening is every socket that listens at a TCP port in the network namespace of pid, with the port. In this
// process's own namespace the kernel is asked for just these: the files in /proc have all connections, those that were
// closed in the last minute too.
func Listening(pid int) (map[string]int, error) {
	if own := NetworkOf(os.Getpid()); own != "" && own == NetworkOf(pid) {
		if found, err := diagnosed(); err == nil {
			return found, nil
		}
	}
	return listed(pid)
}

// listed is Listening by the files in /proc.
func listed(pid int) (map[string]int, error) {
	found := map[string]int{}
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		data, err := os.ReadFile(file(pid, name))
		if err != nil {
			if name == "net/tcp6" {
				break // a kernel without it
			}
			return nil, gone(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		for lines.Scan() {
			f := strings.Fields(lines.Text())
			const listening = "0A"
			if len(f) < 10 || f[3] != listening {
				continue
			}
			_, hex, _ := strings.Cut(f[1], ":")
			if n, err := strconv.ParseUint(hex, 16, 16); err == nil {
				found["socket:["+f[9]+"]"] = int(n)
			}
		}
	}
	return found, nil
}

// What sock_diag(7) has for TCP: the request, and of the answers the parts that matter here.
const (
	sockDiag         = 4  // NETLINK_SOCK_DIAG
	sockDiagByFamily = 20 // SOCK_DIAG_BY_FAMILY
	stateListen      = 10 // TCP_LISTEN
	diagRequestSize  = 56 // struct inet_diag_req_v2
	diagAnswerSize   = 72 // struct inet_diag_msg
	diagPort         = 4  // id.idiag_sport, of the answer, in the network's order
	diagInode        = 68 // idiag_inode
)

// diagnosed is Listening of this process's own network namespace, by the kernel's answer to a question about listening
// sockets alone.
func diagnosed() (map[string]int, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, sockDiag)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	late := syscall.Timeval{Sec: 1}
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &late); err != nil {
		return nil, err
	}
	found := map[string]int{}
	for _, family := range []byte{syscall.AF_INET, syscall.AF_INET6} {
		if err := diagnose(fd, family, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// diagnose adds the listening sockets of a family.
func diagnose(fd int, family byte, found map[string]int) error {
	var request [syscall.NLMSG_HDRLEN + diagRequestSize]byte
	*(*syscall.NlMsghdr)(unsafe.Pointer(&request)) = syscall.NlMsghdr{
		Len: uint32(len(request)), Type: sockDiagByFamily, Flags: syscall.NLM_F_REQUEST | syscall.NLM_F_DUMP,
	}
	question := request[syscall.NLMSG_HDRLEN:]
	question[0], question[1] = family, syscall.IPPROTO_TCP
	binary.NativeEndian.PutUint32(question[4:], 1<<stateListen)
	if err := syscall.Sendto(fd, request[:], 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return err
	}
	buffer := make([]byte, 32<<10)
	for {
		n, _, err := syscall.Recvfrom(fd, buffer, 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return err
		}
		for _, m := range messages {
			switch {
			case m.Header.Type == syscall.NLMSG_DONE:
				return nil
			case m.Header.Type == syscall.NLMSG_ERROR || len(m.Data) < diagAnswerSize:
				return syscall.EPROTO
			}
			inode := binary.NativeEndian.Uint32(m.Data[diagInode:])
			found["socket:["+strconv.FormatUint(uint64(inode), 10)+"]"] = int(binary.BigEndian.Uint16(
				m.Data[diagPort:]))
		}
	}
}
