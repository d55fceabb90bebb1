// The workloads of ../compare in Go: here those of workloads.rs and memory.rs.
//
// Usage: go-twin WORKLOAD WORKERS SIZE. Prints the figure, and a second one where there is one; of
// fairness go-twin WORKLOAD WORKERS SAMPLES HOGS STEP, which prints all samples. go-twin net MODE is a
// server (net.go).
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "net" {
		serve(os.Args[2])
	}
	workers, _ := strconv.Atoi(os.Args[2])
	size, _ := strconv.Atoi(os.Args[3])
	runtime.GOMAXPROCS(workers)
	run, found := map[string]func(int) []float64{
		"fan": fan, "join": join, "one": one, "chain": chain, "yield": yield, "ping": ping,
		"skynet": skynet, "sieve": sieve, "memory": memory,
		"remote-1": func(n int) []float64 { return remote(n, 1) },
		"remote-8": func(n int) []float64 { return remote(n, 8) },
		"main":     mainRoundTrip, "wake": wake, "forkjoin": forkjoin, "spawn_many": spawnMany,
		"yield_many": yieldMany, "ping_pong": pingPong, "chained_spawn": chainedSpawn,
		"buffered-1-1": func(n int) []float64 { return buffered(n, 1, 1) },
		"buffered-4-1": func(n int) []float64 { return buffered(n, 4, 1) },
		"buffered-4-4": func(n int) []float64 { return buffered(n, 4, 4) },
		"mutex": syncMutex, "mutex-held": syncMutexHeld, "rw-lock": syncRWMutex,
		"semaphore": syncSemaphore, "oneshot": syncOneshot, "broadcast": syncBroadcast,
		"watch": syncWatch, "notify": syncNotify,
		"select-one":   selectOneReady, "select-all": selectAllReady, "parked": memory,
		"sleeps": sleepsMany, "late": sleepsLate,
		"limits-1k": limitsFew, "limits-1m": limitsMany,
		"blocking-computing": blockingComputing, "blocking-asleep": blockingAsleep,
		"blocking-told": blockingAsleep, "blocking-computations": blockingComputations,
		"blocking-inside": blockingInside,
		"fairness-main":   fairness(fairnessMain), "fairness-thread": fairness(fairnessThread),
		"fairness-timer": fairness(fairnessTimer), "fairness-spawn": fairness(fairnessSpawn),
		"fairness-spin-main":   fairness(mainNaps((*company).spawnSpinning)),
		"fairness-spin-nap":    fairness(goroutineNaps((*company).spawnSpinning)),
		"fairness-select-main": fairness(mainNaps((*company).spawnMakingTimers)),
		"fairness-select-nap":  fairness(goroutineNaps((*company).spawnMakingTimers)),
	}[os.Args[1]]
	if !found {
		fmt.Fprintln(os.Stderr, "no workload", os.Args[1])
		os.Exit(2)
	}
	for _, figure := range run(size) {
		fmt.Println(figure)
	}
}

func perOperation(start time.Time, operations int) []float64 {
	return []float64{float64(time.Since(start).Nanoseconds()) / float64(operations)}
}

func check(ok bool, what string) {
	if !ok {
		panic(what)
	}
}

// countdown tells when the last goroutine is done, as in the Rust programs.
type countdown struct {
	left atomic.Int64
	done chan struct{}
}

func newCountdown(n int) *countdown {
	c := &countdown{done: make(chan struct{})}
	c.left.Store(int64(n))
	return c
}

func (c *countdown) count() {
	if c.left.Add(-1) == 0 {
		close(c.done)
	}
}

func fan(n int) []float64 {
	start := time.Now()
	c := newCountdown(n)
	for i := 0; i < n; i++ {
		go c.count()
	}
	<-c.done
	return perOperation(start, n)
}

func join(n int) []float64 {
	batch := min(n, 10000)
	start := time.Now()
	sum := 0
	for i := 0; i < n/batch; i++ {
		var wait sync.WaitGroup
		wait.Add(batch)
		results := make([]int, batch)
		for j := 0; j < batch; j++ {
			go func() {
				results[j] = j
				wait.Done()
			}()
		}
		wait.Wait()
		for _, result := range results {
			sum += result
		}
	}
	check(sum == n/batch*(batch*(batch-1)/2), "join")
	return perOperation(start, n/batch*batch)
}

func one(n int) []float64 {
	start := time.Now()
	sum := 0
	for i := 0; i < n; i++ {
		result := make(chan int, 1)
		go func() { result <- i }()
		sum += <-result
	}
	check(sum == n*(n-1)/2, "one")
	return perOperation(start, n)
}

func link(left int, done chan struct{}) {
	if left == 0 {
		close(done)
	} else {
		go link(left-1, done)
	}
}

func chain(n int) []float64 {
	start := time.Now()
	done := make(chan struct{})
	go link(n, done)
	<-done
	return perOperation(start, n)
}

func yields(tasks, yields int) {
	c := newCountdown(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			for j := 0; j < yields; j++ {
				runtime.Gosched()
			}
			c.count()
		}()
	}
	<-c.done
}

func yield(n int) []float64 {
	tasks := min(n, 1000)
	start := time.Now()
	yields(tasks, n/tasks)
	return perOperation(start, n/tasks*tasks)
}

func echo(from <-chan int, to chan<- int) {
	for value := range from {
		to <- value + 1
	}
}

func tree(first, leaves int, result chan<- int) {
	if leaves == 1 {
		result <- first
		return
	}
	share := leaves / 10
	results := make(chan int, 10)
	for child := 0; child < 10; child++ {
		go tree(first+child*share, share, results)
	}
	sum := 0
	for child := 0; child < 10; child++ {
		sum += <-results
	}
	result <- sum
}

func skynet(n int) []float64 {
	start := time.Now()
	result := make(chan int, 1)
	go tree(0, n, result)
	check(<-result == n*(n-1)/2, "skynet")
	return perOperation(start, n)
}

func residentBytes() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "VmRSS:") {
			kilobytes, _ := strconv.Atoi(strings.Fields(line)[1])
			return kilobytes * 1024
		}
	}
	return 0
}

func memory(n int) []float64 {
	debug.FreeOSMemory()
	forever := make(chan struct{})
	var parked atomic.Int64
	settle := func(expected int) {
		for parked.Load() != int64(expected) {
			time.Sleep(time.Millisecond)
		}
	}
	before := residentBytes()
	for i := 0; i < n; i++ {
		go func() {
			parked.Add(1)
			<-forever
			parked.Add(-1)
		}()
	}
	settle(n)
	time.Sleep(20 * time.Millisecond)
	bytes := residentBytes() - before
	close(forever)
	settle(0)
	return []float64{float64(bytes) / float64(n)}
}

// remote: Go has no threads of its own; goroutines locked to theirs are as close as it gets.
func remote(n, threads int) []float64 {
	share := n / threads
	c := newCountdown(share * threads)
	start := time.Now()
	for i := 0; i < threads; i++ {
		go func() {
			runtime.LockOSThread()
			for j := 0; j < share; j++ {
				go c.count()
			}
		}()
	}
	<-c.done
	return perOperation(start, share*threads)
}

func mainRoundTrip(n int) []float64 {
	to, back := make(chan int, 1), make(chan int, 1)
	go echo(to, back)
	start := time.Now()
	for i := 0; i < n; i++ {
		to <- i
		check(<-back == i+1, "main")
	}
	return perOperation(start, n)
}

func wake(n int) []float64 {
	return quantiles(wakes(n), 0.5, 0.99)
}

func wakes(n int) []time.Duration {
	woken, told := make(chan time.Time, 1), make(chan time.Duration, 1)
	go func() {
		for sent := range woken {
			told <- time.Since(sent)
		}
	}()
	delays := make([]time.Duration, n)
	// Main is locked to its thread, and so stands for one that is not Go's.
	runtime.LockOSThread()
	for i := range delays {
		time.Sleep(100 * time.Microsecond)
		woken <- time.Now()
		delays[i] = <-told
	}
	return delays
}

// quantiles is in microseconds.
func quantiles(delays []time.Duration, parts ...float64) []float64 {
	sort.Slice(delays, func(a, b int) bool { return delays[a] < delays[b] })
	var figures []float64
	for _, part := range parts {
		figures = append(figures, delays[int(float64(len(delays))*part)].Seconds()*1e6)
	}
	return figures
}

const cutoff = 12

func fib(n int) uint64 {
	if n < 2 {
		return uint64(n)
	}
	return fib(n-1) + fib(n-2)
}

func forkedFib(n int) uint64 {
	if n <= cutoff {
		return fib(n)
	}
	left := make(chan uint64, 1)
	go func() { left <- forkedFib(n - 1) }()
	right := forkedFib(n - 2)
	return <-left + right
}

func forkjoin(n int) []float64 {
	start := time.Now()
	expected := fib(n)
	alone := time.Since(start)
	start = time.Now()
	check(forkedFib(n) == expected, "forkjoin")
	return []float64{alone.Seconds() / time.Since(start).Seconds()}
}

func spawnMany(n int) []float64 {
	batch := min(n, 10000)
	start := time.Now()
	for i := 0; i < n/batch; i++ {
		c := newCountdown(batch)
		for j := 0; j < batch; j++ {
			go c.count()
		}
		<-c.done
	}
	return perOperation(start, n/batch*batch)
}

func yieldMany(n int) []float64 {
	tasks, each := min(n, 200), min(n, 1000)
	rounds := max(n/(tasks*each), 1)
	start := time.Now()
	for i := 0; i < rounds; i++ {
		yields(tasks, each)
	}
	return perOperation(start, rounds*tasks*each)
}

func pingPong(n int) []float64 {
	pings := min(n, 1000)
	start := time.Now()
	for i := 0; i < n/pings; i++ {
		c := newCountdown(pings)
		go func() {
			for j := 0; j < pings; j++ {
				go func() {
					to, back := make(chan struct{}, 1), make(chan struct{}, 1)
					go func() {
						<-to
						back <- struct{}{}
					}()
					to <- struct{}{}
					<-back
					c.count()
				}()
			}
		}()
		<-c.done
	}
	return perOperation(start, n/pings*pings)
}

func chainedSpawn(n int) []float64 {
	length := min(n, 1000)
	start := time.Now()
	for i := 0; i < n/length; i++ {
		done := make(chan struct{})
		go link(length, done)
		<-done
	}
	return perOperation(start, n/length*length)
}
