//go:build !linux

package main

import (
	"context"
	"errors"
)

func eat(context.Context, int64) error { return errors.ErrUnsupported }
