//go:build !linux

package main

import "time"

// sleepInKernel does not block the thread here, so blocking-asleep and blocking-told show less.
func sleepInKernel(duration time.Duration) {
	time.Sleep(duration)
}
