// The workloads of ../compare/blocking.rs in Go.
package main

import (
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

const (
	hogs   = 8
	period = 10 * time.Millisecond
	first  = 100 * time.Millisecond
	nap    = 100 * time.Millisecond
)

func blockingComputing(n int) []float64 {
	return besideHogs(n, func(duration time.Duration) {
		start := time.Now()
		x := seed
		for time.Since(start) < duration {
			x = scramble(x, 1000)
		}
		check(x != 0, "blocking-computing")
	})
}

// blockingAsleep is also blocking-told: Go tells itself, before each system call.
func blockingAsleep(n int) []float64 {
	return besideHogs(n, func(duration time.Duration) {
		start := time.Now()
		for left := duration; left > 0; left = duration - time.Since(start) {
			sleepInKernel(min(left, nap))
		}
	})
}

const before = 2 * time.Millisecond

func blockingInside(n int) []float64 {
	lateness := make([]time.Duration, n)
	for i := range lateness {
		sleepInKernel(period)
		late := make(chan time.Duration)
		go func() {
			for start := time.Now(); time.Since(start) < before; {
			}
			var started atomic.Int64
			spawned := time.Now()
			go func() { started.Store(max(1, int64(time.Since(spawned)))) }()
			for started.Load() == 0 {
			}
			late <- time.Duration(started.Load())
		}()
		lateness[i] = <-late
	}
	slices.Sort(lateness)
	microseconds := func(late time.Duration) float64 { return late.Seconds() * 1e6 }
	return []float64{microseconds(lateness[n/2]), microseconds(lateness[n*99/100])}
}

func besideHogs(n int, hog func(time.Duration)) []float64 {
	duration := time.Duration(n) * time.Millisecond
	wakes := int((duration + period - 1) / period)
	woken, begun := make(chan time.Time, wakes), make(chan time.Time)
	ready, noted := make(chan struct{}), make(chan []time.Duration)
	go func() {
		close(ready)
		var lateness []time.Duration
		for sent := range woken {
			lateness = append(lateness, time.Since(sent))
		}
		noted <- lateness
	}()
	// Locked to its thread, which stands for one that is not Go's.
	go func() {
		runtime.LockOSThread()
		start := <-begun
		for i := 0; i < wakes; i++ {
			if left := time.Duration(i)*period - time.Since(start); left > 0 {
				sleepInKernel(left)
			}
			woken <- time.Now()
		}
		close(woken)
	}()
	<-ready

	c := newCountdown(hogs)
	go func() {
		begun <- time.Now()
		for i := 0; i < hogs; i++ {
			go func() {
				hog(duration)
				c.count()
			}()
		}
	}()
	<-c.done
	lateness := <-noted

	check(len(lateness) == wakes, "besideHogs")
	split := min(int(first/period), wakes)
	later := lateness[split:]
	slices.Sort(later)
	microseconds := func(late time.Duration) float64 { return late.Seconds() * 1e6 }
	return []float64{
		microseconds(later[len(later)*99/100]),
		microseconds(slices.Max(lateness[:split])),
	}
}

const (
	seed      = uint64(88_172_645_463_325_252)
	rounds    = 50_000_000
	scrambled = uint64(6_161_352_251_317_307_305)
)

func scramble(x uint64, rounds int) uint64 {
	for i := 0; i < rounds; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

func blockingComputations(n int) []float64 {
	start := time.Now()
	results := make(chan uint64, n)
	for i := 0; i < n; i++ {
		go func() { results <- scramble(seed, rounds) }()
	}
	for i := 0; i < n; i++ {
		check(<-results == scrambled, "blocking-computations")
	}
	return []float64{time.Since(start).Seconds() * 1e3}
}
