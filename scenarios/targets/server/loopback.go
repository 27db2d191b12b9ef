package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// freePort finds a TCP port of the loopback address that nobody listens at. Another program may take it before it is
// used.
func freePort() (int, error) {
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

// get fetches a page, at most 64 KiB of it. An error means that the connection was refused or broke, or is ctx's.
func get(ctx context.Context, url string) (status int, body []byte, err error) {
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
