package processtest

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// lastWords is for how long a process that does not end may tell why.
const lastWords = 5 * time.Second

// Process is a program that was started. Its methods may be called at the same time.
type Process struct {
	Command  *exec.Cmd  // its ProcessState may be read once Ended
	Out, Err Transcript // what it prints to its standard output and its standard error
	ended    chan struct{}
}

// Start starts a program. Its environment, directory and standard input are those of the command, and its standard error too if the command names one. The caller must kill it.
func Start(command *exec.Cmd) (*Process, error) {
	p := &Process{Command: command, ended: make(chan struct{})}
	command.Stdout = &p.Out
	if command.Stderr == nil {
		command.Stderr = &p.Err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	go func() {
		// How it ended is asked of ProcessState.
		_ = command.Wait()
		close(p.ended)
	}()
	return p, nil
}

// Launch starts a program for one test or benchmark, at whose end it is killed. If that failed, all that the program said is shown.
func Launch(t testing.TB, command *exec.Cmd) *Process {
	t.Helper()
	p, err := Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Log(p)
		}
	})
	return p
}

// Kill ends the process as a crash does (kill -9), and waits until it is gone.
func (p *Process) Kill() {
	// A process that has ended already cannot be killed, and need not be.
	_ = p.Command.Process.Kill()
	<-p.ended
}

// Ended reports whether the process is gone, and Out and Err complete.
func (p *Process) Ended() bool { return isClosed(p.ended) }

// Says waits until the standard output matches a pattern, see Transcript.Await. The error has all that was said instead.
func (p *Process) Says(pattern string) (string, error) {
	found, err := p.Out.Await(pattern, p.ended)
	switch {
	case err == nil:
		return found, nil
	case p.Ended():
		return "", fmt.Errorf("%w, but ended with code %d: %s", err, p.Command.ProcessState.ExitCode(), p)
	}
	return "", fmt.Errorf("%w: %s", err, p)
}

// Stop sends a signal and returns the exit code, see Code.
func (p *Process) Stop(signal os.Signal) (int, error) {
	if err := p.Command.Process.Signal(signal); err != nil {
		return 0, err
	}
	return p.Code()
}

// Code waits for the end and returns the exit code, which is -1 if a signal ended the process. A process that does not end within
// Patience is killed; the error then has all that it said, which may tell what it waited for.
func (p *Process) Code() (int, error) { return p.codeWithin(Patience, lastWords) }

func (p *Process) codeWithin(patience, lastWords time.Duration) (int, error) {
	if p.endsWithin(patience) {
		return p.Command.ProcessState.ExitCode(), nil
	}
	// A program in Go prints its goroutines and ends. A virtual machine of Java prints its threads and goes on.
	_ = p.Command.Process.Signal(syscall.SIGQUIT)
	if !p.endsWithin(lastWords) {
		p.Kill()
	}
	return 0, fmt.Errorf("the process does not end: %s", p)
}

func (p *Process) endsWithin(patience time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(patience):
		return false
	}
}

// String shows the command line and all that was said.
func (p *Process) String() string {
	return fmt.Sprintf("%q said\n%s\n%s", p.Command.Args, p.Out.String(), p.Err.String())
}
