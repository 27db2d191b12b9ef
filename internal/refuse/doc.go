// Package refuse has the kernel refuse a system call, as a container's seccomp filter may, for tests of what is said
// then.
package refuse
