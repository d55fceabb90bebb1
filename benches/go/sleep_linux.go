package main

import (
	"syscall"
	"time"
)

// sleepInKernel blocks the thread, as a system call does. (time.Sleep would not.)
func sleepInKernel(duration time.Duration) {
	left := syscall.NsecToTimespec(duration.Nanoseconds())
	for syscall.Nanosleep(&left, &left) == syscall.EINTR {
	}
}
