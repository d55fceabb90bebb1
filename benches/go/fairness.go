// The workloads of ../compare/fairness.rs in Go.
package main

import (
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
)

// company is hogs, which end when all samples are taken, or else at the limit.
type company struct {
	samples int
	hogs    int
	// How long a hog computes before it yields. Zero: it never gives way.
	step   time.Duration
	isOver atomic.Bool
}

// How long those sleep that are beside hogs that never give way.
const besideSpinning = 10 * time.Millisecond

// fairness: the command line has two more numbers, hogs and milliseconds.
func fairness(measure func(*company) []time.Duration) func(int) []float64 {
	return func(samples int) []float64 {
		hogs, _ := strconv.Atoi(os.Args[4])
		step, _ := strconv.Atoi(os.Args[5])
		c := &company{samples: samples, hogs: hogs, step: time.Duration(step) * time.Millisecond}
		lateness := measure(c)
		figures := make([]float64, len(lateness))
		for i, late := range lateness {
			figures[i] = late.Seconds() * 1e3
		}
		return figures
	}
}

func (c *company) spawn(hog func()) {
	turn := c.step
	if turn == 0 {
		turn = besideSpinning
	}
	workers := runtime.GOMAXPROCS(0)
	turn *= time.Duration((c.hogs + workers - 1) / workers)
	limit := 500*time.Millisecond + time.Duration(c.samples)*(5*turn+besideSpinning)
	time.AfterFunc(limit, func() { c.isOver.Store(true) })
	for i := 0; i < c.hogs; i++ {
		go hog()
	}
}

func (c *company) spawnYielding() {
	c.spawn(func() {
		for !c.isOver.Load() {
			for start := time.Now(); time.Since(start) < c.step; {
			}
			runtime.Gosched()
		}
	})
}

// sample takes samples until there are enough, or the limit is reached.
func (c *company) sample(once func(i int) time.Duration) []time.Duration {
	var lateness []time.Duration
	for len(lateness) == 0 || len(lateness) < c.samples && !c.isOver.Load() {
		lateness = append(lateness, once(len(lateness)))
	}
	c.isOver.Store(true)
	return lateness
}

// pause before sample i: one to two steps, in no order.
func (c *company) pause(i int) time.Duration {
	return c.step + c.step*time.Duration(i*7919%1000)/1000
}

// startProbe starts a goroutine, and returns what wakes it and says when it ran.
func startProbe() func() time.Time {
	woken, told := make(chan struct{}, 1), make(chan time.Time, 1)
	go func() {
		for range woken {
			told <- time.Now()
		}
	}()
	return func() time.Time {
		woken <- struct{}{}
		return <-told
	}
}

// fairnessMain: in Go main is a goroutine like others. It waits for a turn before it can send, and then the
// probe is next. So what counts is when main should have sent.
func fairnessMain(c *company) []time.Duration {
	exchange := startProbe()
	exchange()
	c.spawnYielding()
	return c.sample(func(i int) time.Duration {
		pause := c.pause(i)
		due := time.Now().Add(pause)
		time.Sleep(pause)
		return exchange().Sub(due)
	})
}

func fairnessThread(c *company) []time.Duration {
	exchange := startProbe()
	exchange()
	return c.besideAThread(exchange)
}

func fairnessSpawn(c *company) []time.Duration {
	return c.besideAThread(func() time.Time {
		told := make(chan time.Time, 1)
		go func() { told <- time.Now() }()
		return <-told
	})
}

// besideAThread takes samples in a goroutine that is locked to its thread, which stands for one that
// is not Go's. It waits for a turn when it comes back from the kernel, so what counts is when it should
// have come back.
func (c *company) besideAThread(wake func() time.Time) []time.Duration {
	noted := make(chan []time.Duration)
	go func() {
		runtime.LockOSThread()
		c.spawnYielding()
		noted <- c.sample(func(i int) time.Duration {
			pause := c.pause(i)
			due := time.Now().Add(pause)
			sleepInKernel(pause)
			return wake().Sub(due)
		})
	}()
	return <-noted
}

func (c *company) naps(nap time.Duration) []time.Duration {
	return c.sample(func(int) time.Duration {
		due := time.Now().Add(nap)
		time.Sleep(nap)
		return time.Since(due)
	})
}

func fairnessTimer(c *company) []time.Duration {
	noted := make(chan []time.Duration)
	go func() {
		c.spawnYielding()
		noted <- c.naps(time.Millisecond)
	}()
	return <-noted
}

func (c *company) spawnSpinning() {
	c.spawn(func() {
		for !c.isOver.Load() {
		}
	})
}

func (c *company) spawnMakingTimers() {
	never := make(chan struct{})
	c.spawn(func() {
		for !c.isOver.Load() {
			select {
			case <-never:
			case <-time.After(time.Millisecond):
			default:
			}
		}
	})
}

func mainNaps(spawn func(*company)) func(*company) []time.Duration {
	return func(c *company) []time.Duration {
		spawn(c)
		return c.naps(besideSpinning)
	}
}

func goroutineNaps(spawn func(*company)) func(*company) []time.Duration {
	return func(c *company) []time.Duration {
		noted := make(chan []time.Duration)
		go func() {
			spawn(c)
			noted <- c.naps(besideSpinning)
		}()
		return <-noted
	}
}
