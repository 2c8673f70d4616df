package acceptance_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// patience bounds every wait for something that ought to be there soon. The machine may be busy with other tests.
const patience = 40 * time.Second

// glance is the pause between looks at something that will be there soon.
const glance = 20 * time.Millisecond

// transcript is what a process says. It may be read while the process writes.
type transcript struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mutex.Lock()
	defer tr.mutex.Unlock()
	return tr.text.Write(p)
}

func (tr *transcript) String() string {
	tr.mutex.Lock()
	defer tr.mutex.Unlock()
	return tr.text.String()
}

// process is a run of the binary.
type process struct {
	line     string
	command  *exec.Cmd
	out, err transcript
	exited   chan struct{} // closed when it has ended
}

// launch starts the binary. home is where it keeps what nobody told it to keep elsewhere.
func launch(home string, arguments ...string) (*process, error) {
	binary, err := build()
	if err != nil {
		return nil, err
	}
	p := &process{line: fmt.Sprintf("gantry %q", arguments), command: exec.Command(binary, arguments...), exited: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = &p.out, &p.err
	p.command.Env = append(os.Environ(), "NAMESRV_ADDR=", "HOME="+home)
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		// How it ended is asked of ProcessState.
		_ = p.command.Wait()
		close(p.exited)
	}()
	return p, nil
}

// says waits until the process has printed what the pattern matches, and returns its first group.
func (p *process) says(pattern string) (string, error) {
	expression := regexp.MustCompile(pattern)
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(glance) {
		if found := expression.FindStringSubmatch(p.out.String()); found != nil {
			return found[len(found)-1], nil
		}
		select {
		case <-p.exited:
			return "", fmt.Errorf("it ended with code %d instead of saying %s: %s", p.command.ProcessState.ExitCode(), pattern, p)
		default:
		}
	}
	return "", fmt.Errorf("it does not say %s: %s", pattern, p)
}

// kill ends the process as a crash does (kill -9), and waits until it is gone.
func (p *process) kill() {
	// A process that has ended already cannot be killed, and need not be.
	_ = p.command.Process.Kill()
	<-p.exited
}

// errStuck is why a process had to be killed.
var errStuck = errors.New("the process does not end")

// code waits for the end and returns the exit code.
func (p *process) code() (int, error) {
	select {
	case <-p.exited:
		return p.command.ProcessState.ExitCode(), nil
	case <-time.After(patience):
		// Its goroutines say what it waits for.
		_ = p.command.Process.Signal(syscall.SIGQUIT)
		<-p.exited
		return 0, fmt.Errorf("%w: %s", errStuck, p)
	}
}

// stop ends the process in order.
func (p *process) stop() (int, error) {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	return p.code()
}

// String shows the command line and all that was said.
func (p *process) String() string { return p.line + "\n" + p.out.String() + p.err.String() }
