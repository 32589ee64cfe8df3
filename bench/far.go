package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// farEnd is a process that is the kernel's end of a connection: it listens, and
// does with each what its argument says.
func farEnd(args []string) {
	l, err := kernelListen(wiring{}, clientAddr, 80, false)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening")
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		switch args[0] {
		case "sink":
			go swallow(c)
		case "source":
			go pour(c)
		case "answer":
			go answerOne(c, make([]byte, 64))
		case "echo":
			go echo(c.(closeWriter))
		}
	}
}

func swallow(c net.Conn) {
	b := make([]byte, 4*chunk)
	for {
		if _, err := c.Read(b); err != nil {
			_ = c.Close()
			return
		}
	}
}

func pour(c net.Conn) {
	b := make([]byte, 4*chunk)
	for {
		if _, err := c.Write(b); err != nil {
			_ = c.Close()
			return
		}
	}
}

// startFarEnd starts such a process and returns when it listens. It ends with
// this one.
func startFarEnd(what string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "far-end", what)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, in, err := os.Pipe() // not StdoutPipe, which Wait closes
	if err != nil {
		return err
	}
	cmd.Stdout = in
	started := make(chan error)
	go func() {
		// The far end dies with the thread that has started it.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return fmt.Errorf("the kernel's end does not listen: %w", err)
	}
	return nil
}
