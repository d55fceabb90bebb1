// The workloads of ../compare/locks.rs and ../compare/signals.rs in Go.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	sharing   = 16
	reads     = 16
	permits   = 4
	batch     = 100
	receivers = 4
)

func share(n int, task func(turns int)) {
	var wait sync.WaitGroup
	for i := 0; i < sharing; i++ {
		wait.Add(1)
		go func() {
			task(n / sharing)
			wait.Done()
		}()
	}
	wait.Wait()
}

func syncMutex(n int) []float64 {
	start := time.Now()
	var mutex sync.Mutex
	count := 0
	share(n, func(turns int) {
		for i := 0; i < turns; i++ {
			mutex.Lock()
			count++
			mutex.Unlock()
		}
	})
	check(count == n/sharing*sharing, "mutex")
	return perOperation(start, count)
}

func syncMutexHeld(n int) []float64 {
	start := time.Now()
	var mutex sync.Mutex
	count := 0
	share(n, func(turns int) {
		for i := 0; i < turns; i++ {
			mutex.Lock()
			before := count
			runtime.Gosched()
			count = before + 1
			mutex.Unlock()
		}
	})
	check(count == n/sharing*sharing, "mutex-held")
	return perOperation(start, count)
}

func syncRWMutex(n int) []float64 {
	start := time.Now()
	var mutex sync.RWMutex
	count := 0
	share(n, func(turns int) {
		last := 0
		for turn := 1; turn <= turns; turn++ {
			if turn%reads == 0 {
				mutex.Lock()
				count++
				mutex.Unlock()
			} else {
				mutex.RLock()
				seen := count
				mutex.RUnlock()
				check(seen >= last, "rw-lock")
				last = seen
			}
		}
	})
	check(count == n/sharing/reads*sharing, "rw-lock")
	return perOperation(start, n/sharing*sharing)
}

// syncSemaphore: a buffered channel, as Go has no other one in its standard library.
func syncSemaphore(n int) []float64 {
	start := time.Now()
	semaphore := make(chan struct{}, permits)
	var out atomic.Int64
	share(n, func(turns int) {
		for i := 0; i < turns; i++ {
			semaphore <- struct{}{}
			check(out.Add(1) <= permits, "semaphore")
			runtime.Gosched()
			out.Add(-1)
			<-semaphore
		}
	})
	return perOperation(start, n/sharing*sharing)
}

func syncOneshot(n int) []float64 {
	start := time.Now()
	sum := 0
	for i := 0; i < n/batch; i++ {
		channels := make([]chan int, batch)
		for j := range channels {
			channels[j] = make(chan int, 1)
		}
		go func() {
			for value, channel := range channels {
				channel <- value
			}
		}()
		for _, channel := range channels {
			sum += <-channel
		}
	}
	check(sum == n/batch*(batch*(batch-1)/2), "oneshot")
	return perOperation(start, n/batch*batch)
}

// acknowledged tells the sender that all receivers have come so far.
type acknowledged struct {
	missing atomic.Int64
	all     chan struct{}
}

func newAcknowledged() *acknowledged {
	return &acknowledged{all: make(chan struct{}, 1)}
}

func (a *acknowledged) acknowledge() {
	if a.missing.Add(-1) == 0 {
		a.all <- struct{}{}
	}
}

// syncBroadcast: a channel for each receiver.
func syncBroadcast(n int) []float64 {
	n = n / batch * batch
	start := time.Now()
	acknowledged := newAcknowledged()
	sums := make(chan int, receivers)
	var channels [receivers]chan int
	for i := range channels {
		channels[i] = make(chan int, batch)
		go func() {
			sum := 0
			for value := range channels[i] {
				sum += value
				if (value+1)%batch == 0 {
					acknowledged.acknowledge()
				}
			}
			sums <- sum
		}()
	}
	for first := 0; first < n; first += batch {
		acknowledged.missing.Store(receivers)
		for value := first; value < first+batch; value++ {
			for _, channel := range channels {
				channel <- value
			}
		}
		<-acknowledged.all
	}
	for _, channel := range channels {
		close(channel)
	}
	for range channels {
		check(<-sums == n*(n-1)/2, "broadcast")
	}
	return perOperation(start, n)
}

// syncWatch: a condition variable.
func syncWatch(n int) []float64 {
	start := time.Now()
	acknowledged := newAcknowledged()
	var mutex sync.Mutex
	changed := sync.NewCond(&mutex)
	value := 0
	for i := 0; i < receivers; i++ {
		go func() {
			last := 0
			for last < n {
				mutex.Lock()
				for value == last {
					changed.Wait()
				}
				seen := value
				mutex.Unlock()
				check(seen == last+1, "watch")
				last = seen
				acknowledged.acknowledge()
			}
		}()
	}
	for i := 1; i <= n; i++ {
		acknowledged.missing.Store(receivers)
		mutex.Lock()
		value = i
		mutex.Unlock()
		changed.Broadcast()
		<-acknowledged.all
	}
	return perOperation(start, n)
}

func notifyOne(notify chan struct{}) {
	select {
	case notify <- struct{}{}:
	default:
	}
}

func syncNotify(n int) []float64 {
	start := time.Now()
	to, back := make(chan struct{}, 1), make(chan struct{}, 1)
	var count atomic.Int64
	go func() {
		for i := 0; i < n; i++ {
			<-to
			count.Add(1)
			notifyOne(back)
		}
	}()
	for turn := 1; turn <= n; turn++ {
		notifyOne(to)
		<-back
		check(count.Load() == int64(turn), "notify")
	}
	return perOperation(start, n)
}
