// The workloads of ../compare/sleeps.rs in Go.
package main

import (
	"slices"
	"time"
)

func sleepsMany(n int) []float64 {
	start := time.Now()
	done := make(chan struct{})
	go func() {
		c := newCountdown(n)
		for i := 0; i < n; i++ {
			duration := time.Millisecond + time.Duration(i*7919%9000)*time.Microsecond
			go func() {
				time.Sleep(duration)
				c.count()
			}()
		}
		<-c.done
		close(done)
	}()
	<-done
	return []float64{time.Since(start).Seconds() * 1e3}
}

func sleepsLate(n int) []float64 {
	noted := make(chan []time.Duration)
	go func() {
		lateness := make([]time.Duration, n)
		for i := range lateness {
			start := time.Now()
			time.Sleep(time.Millisecond)
			lateness[i] = time.Since(start) - time.Millisecond
		}
		noted <- lateness
	}()
	lateness := <-noted
	slices.Sort(lateness)
	microseconds := func(late time.Duration) float64 { return late.Seconds() * 1e6 }
	return []float64{microseconds(lateness[n/2]), microseconds(lateness[n*99/100])}
}

func limitsMany(n int) []float64 { return limits(n, 1_000_000) }

func limitsFew(n int) []float64 { return limits(n, 1_000) }

func limits(n int, atATime int) []float64 {
	done := make(chan time.Duration)
	go func() {
		start := time.Now()
		for begin := 0; begin < n; begin += atATime {
			count := min(atATime, n-begin)
			timers := make([]*time.Timer, count)
			for i := range timers {
				more := time.Duration(i*7919%1_000_003) * time.Microsecond
				timers[i] = time.AfterFunc(time.Hour+more, func() {})
			}
			for i := range timers {
				timers[i*7907%count].Stop()
			}
		}
		done <- time.Since(start)
	}()
	return []float64{float64((<-done).Nanoseconds()) / float64(n)}
}
