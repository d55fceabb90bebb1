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
