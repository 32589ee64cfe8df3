//go:build !linux

package kernel

import (
	"context"
	"time"
)

// Wait returns after interval, or the error of ctx once that is done.
func (k *Keeper) Wait(ctx context.Context, interval time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(interval):
		return nil
	}
}

// Close does nothing here.
func (k *Keeper) Close() {}

type pace struct{}

func (pace) hurry()           {}
func (pace) follow([]Process) {}
