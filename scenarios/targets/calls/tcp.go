package calls

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// TCP is a line that is sent, on a connection of its own, and the line that comes back.
type TCP struct {
	Address string `yaml:"address" doc:"HOST:PORT, such as 127.0.0.1:6379."`
	Send    string `yaml:"send" doc:"What is sent; a line feed is added if it has none. Default: nothing, for servers that speak first."`
	Expect  string `yaml:"expect" doc:"What the first line of the answer begins with. A byte at least must come: that a connection is accepted shows nothing."`
}

// maxLine bounds what is read of an answer.
const maxLine = 64 << 10

func (t *TCP) host() string {
	host, _, _ := net.SplitHostPort(t.Address)
	return host
}

func (t *TCP) check(fail func(key, format string, args ...any)) {
	_, port, err := net.SplitHostPort(t.Address)
	n, portErr := strconv.Atoi(port)
	if err != nil || portErr != nil || n < 1 || n > 65535 {
		fail("address", "%q is no address: want HOST:PORT, such as 127.0.0.1:6379", t.Address)
	}
}

// Do implements Call.
func (t *TCP) Do(ctx context.Context) chaos.Settled {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return broken(ctx, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if t.Send != "" {
		if _, err := io.WriteString(conn, strings.TrimSuffix(t.Send, "\n")+"\n"); err != nil {
			return broken(ctx, err)
		}
	}
	answer := bufio.NewReader(io.LimitReader(conn, maxLine))
	if t.Expect == "" {
		if _, err := answer.ReadByte(); err != nil {
			return broken(ctx, fmt.Errorf("the connection was closed without an answer: %w", err))
		}
		return chaos.Settled{Outcome: history.OK}
	}
	line, err := answer.ReadString('\n')
	if line = strings.TrimRight(line, "\r\n"); line == "" && err != nil {
		return broken(ctx, fmt.Errorf("the connection was closed without an answer: %w", err))
	}
	if !strings.HasPrefix(line, t.Expect) {
		return chaos.Settled{
			Outcome: history.Wrong,
			Err:     fmt.Sprintf("the answer is %.200q, want one that begins with %q", line, t.Expect),
		}
	}
	return chaos.Settled{Outcome: history.OK}
}
