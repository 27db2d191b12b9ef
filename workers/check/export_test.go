package check

// Only makes the check leave out all steps but these, and the first.
func (c Command) Only(steps ...string) Command {
	c.only = steps
	return c
}
