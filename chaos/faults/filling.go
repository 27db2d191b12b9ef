package faults

import (
	"context"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/internal/cgroup"
)

// filling is embedded in injections that fill the memory of their victim's group: the victim does it by itself where
// the target can make it, and else a hog does.
type filling struct {
	stressing
	limiting
	hog *hog // for a victim that cannot be told to allocate; else nil
}

// prepare takes the group, and starts the hog with that score for the OOM killer if one is needed.
func (f *filling) prepare(ctx context.Context, c *chaos.Case, score string) error {
	canAllocate := f.stressing.Setup(ctx, c) == nil
	if err := f.confine(c, cgroup.Memory); err != nil || canAllocate {
		return err
	}
	var err error
	f.hog, err = startHog(ctx, f.group, score)
	return err
}
