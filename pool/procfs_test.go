package pool_test

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// descendants lists the living processes that carry the pool's marker. Zombies count as gone.
func descendants(id string) []int { return processesWith("RESPAWN_POOL=" + id) }

// processesWith lists the processes that were started with the variable.
func processesWith(variable string) (pids []int) {
	marker := []byte(variable)
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		for kv := range bytes.SplitSeq(env, []byte{0}) {
			if bytes.Equal(kv, marker) && isAlive(pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// procState is the state letter of /proc/PID/stat, "" when there is no such process.
func procStateOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	return fields[0]
}

func isAlive(pid int) bool {
	s := procStateOf(pid)
	return s != "" && s != "Z" && s != "X"
}

// children lists this process's children, dead or alive.
func children() (pids []int) { return childrenOf(os.Getpid()) }

func childrenOf(parent int) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// zombies lists this process's children that are dead and not reaped.
func zombies() (pids []int) {
	for _, pid := range children() {
		if procStateOf(pid) == "Z" {
			pids = append(pids, pid)
		}
	}
	return pids
}
