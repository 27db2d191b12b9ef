// Package web is how server targets are reached: over HTTP on the loopback address. It stands alone because net/http is
// heavy: see [server.Network].
package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/respawn-go/respawn/scenarios/targets/server"
)

// Loopback is the network of this machine alone. Safe for concurrent use.
type Loopback struct{}

var _ server.Network = Loopback{}

// FreePort implements server.Network. Another program may take the port before it is used.
func (Loopback) FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("a TCP listener without a TCP address")
	}
	return addr.Port, nil
}

// client makes each request on a connection of its own, so that a broken one breaks one task. It uses no proxy.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

const maxBody = 64 << 10

// Get implements server.Network: at most 64 KiB of the page.
func (Loopback) Get(ctx context.Context, url string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody)); err != nil {
		err = fmt.Errorf("the answer broke off: %w", err)
	}
	return resp.StatusCode, body, err
}
