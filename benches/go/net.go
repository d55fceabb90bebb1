package main

import (
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"time"
)

const buffer = 4096

// serve is the server of ../net in Go: go-twin net MODE. It prints its address, and echoes until it is
// killed. Go's TCP_NODELAY is on by default.
func serve(mode string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err == nil, "listen")
	fmt.Println(listener.Addr())
	echo := echoBuffered
	switch mode {
	case "http":
		serveHTTP(listener)
	case "http-idle":
		go returnMemory()
		serveHTTP(listener)
	case "unbuffered":
		echo = echoUnbuffered
		go returnMemory()
	case "asleep":
		for i := 0; i < 8; i++ {
			go func() {
				for {
					sleepInKernel(50 * time.Millisecond)
				}
			}()
		}
	case "computing":
		for i := 0; i < 8; i++ {
			go computeForever()
		}
	}
	for {
		connection, err := listener.Accept()
		check(err == nil, "accept")
		go echo(connection)
	}
}

// returnMemory runs all the time: what only the connecting took is no part of what a connection takes.
func returnMemory() {
	for range time.Tick(100 * time.Millisecond) {
		debug.FreeOSMemory()
	}
}

func serveHTTP(listener net.Listener) {
	check(false, http.Serve(listener, http.HandlerFunc(answer)).Error())
}

func echoBuffered(connection net.Conn) {
	defer connection.Close()
	buf := make([]byte, buffer)
	for {
		read, err := connection.Read(buf)
		if err != nil {
			return
		}
		if _, err := connection.Write(buf[:read]); err != nil {
			return
		}
	}
}

// echoUnbuffered waits with a buffer of one byte, since there is no waiting without one.
func echoUnbuffered(connection net.Conn) {
	defer connection.Close()
	first := make([]byte, 1)
	for {
		if _, err := connection.Read(first); err != nil {
			return
		}
		if !echoRest(connection, first[0]) {
			return
		}
	}
}

// echoRest is a function of its own, so that its buffer is gone while the other one waits.
//
//go:noinline
func echoRest(connection net.Conn, first byte) bool {
	buf := make([]byte, buffer)
	buf[0] = first
	// The generator sends more than one byte at a time.
	read, err := connection.Read(buf[1:])
	if err != nil {
		return false
	}
	_, err = connection.Write(buf[:1+read])
	return err == nil
}

// computeForever never gives way, and need not.
func computeForever() {
	for n := 0; ; n++ {
	}
}

func answer(response http.ResponseWriter, _ *http.Request) {
	response.Write([]byte("Hello, World!"))
}
