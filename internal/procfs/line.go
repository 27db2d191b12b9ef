package procfs

import (
	"os"
	"strings"
)

// Line is the first line of a file that holds one fact, such as /proc/sys/kernel/osrelease; "" where it cannot be read.
func Line(path string) string {
	data, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(data), "\n")
	return line
}
