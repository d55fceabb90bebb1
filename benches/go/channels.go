// The workloads of ../compare/channels.rs in Go.
package main

import (
	"sync/atomic"
	"time"
)

func ping(n int) []float64 {
	to, back := make(chan int), make(chan int)
	go echo(to, back)
	start := time.Now()
	for i := 0; i < n; i++ {
		to <- i
		check(<-back == i+1, "ping")
	}
	result := perOperation(start, n)
	close(to)
	return result
}

func sieve(n int) []float64 {
	start := time.Now()
	candidates := make(chan uint32)
	go func(numbers chan<- uint32) {
		for number := uint32(2); ; number++ {
			numbers <- number
		}
	}(candidates)
	last := uint32(0)
	for i := 0; i < n; i++ {
		prime := <-candidates
		last = prime
		passed := make(chan uint32)
		go func(source <-chan uint32, passed chan<- uint32) {
			for number := range source {
				if number%prime != 0 {
					passed <- number
				}
			}
		}(candidates, passed)
		candidates = passed
	}
	result := time.Since(start)
	check(last == nthPrime(n), "sieve")
	return []float64{result.Seconds() * 1e6 / float64(n)}
}

func nthPrime(n int) uint32 {
	for number := uint32(2); ; number++ {
		isPrime := true
		for divisor := uint32(2); divisor*divisor <= number; divisor++ {
			if number%divisor == 0 {
				isPrime = false
				break
			}
		}
		if isPrime {
			n--
			if n == 0 {
				return number
			}
		}
	}
}

const capacity = 128

func buffered(n, senders, receivers int) []float64 {
	start := time.Now()
	values := make(chan int, capacity)
	share := n / senders
	check(share*senders == n, "the size must be a multiple of the senders")
	// The last one closes the channel; in Rust it is dropped.
	var left atomic.Int64
	left.Store(int64(senders))
	for i := 0; i < senders; i++ {
		go func() {
			for value := i * share; value < (i+1)*share; value++ {
				values <- value
			}
			if left.Add(-1) == 0 {
				close(values)
			}
		}()
	}
	sums := make([]chan int, receivers)
	for i := range sums {
		result := make(chan int, 1)
		sums[i] = result
		go func() {
			sum := 0
			for value := range values {
				sum += value
			}
			result <- sum
		}()
	}
	sum := 0
	for _, result := range sums {
		sum += <-result
	}
	check(sum == n*(n-1)/2, "buffered")
	return perOperation(start, n)
}
