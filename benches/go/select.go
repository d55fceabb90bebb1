// The workloads of ../compare/select.rs in Go.
package main

import "time"

func selected(first, second, third, fourth <-chan int) (int, int) {
	select {
	case value := <-first:
		return 0, value
	case value := <-second:
		return 1, value
	case value := <-third:
		return 2, value
	case value := <-fourth:
		return 3, value
	}
}

func makeFour() [4]chan int {
	var channels [4]chan int
	for i := range channels {
		channels[i] = make(chan int, 1)
	}
	return channels
}

func selectOneReady(n int) []float64 {
	start := time.Now()
	channels := makeFour()
	for turn := 0; turn < n; turn++ {
		expected := turn % 4
		channels[expected] <- turn
		number, value := selected(channels[0], channels[1], channels[2], channels[3])
		check(number == expected && value == turn, "select-one")
	}
	return perOperation(start, n)
}

func selectAllReady(n int) []float64 {
	start := time.Now()
	channels := makeFour()
	for i, channel := range channels {
		channel <- i
	}
	var chosen [4]int
	for turn := 0; turn < n; turn++ {
		number, value := selected(channels[0], channels[1], channels[2], channels[3])
		check(number == value, "select-all")
		chosen[number]++
		channels[number] <- number
	}
	for _, times := range chosen {
		check(times > n/8, "select-all is not random")
	}
	return perOperation(start, n)
}
