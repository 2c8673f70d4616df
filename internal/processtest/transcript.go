package processtest

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Patience bounds every wait for something that ought to be there soon. The machine may be busy with other tests, and a client of
// Apache's waits up to 30 s for the answer to a pull that it will never get.
const Patience = 60 * time.Second

// glance is the pause between looks at something that will be there soon.
const glance = 10 * time.Millisecond

// Transcript is what a process, or a part of the test, has said so far. It may be read while it is written. The zero value is empty.
type Transcript struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

// Write adds to it. It never fails.
func (tr *Transcript) Write(p []byte) (int, error) {
	tr.mutex.Lock()
	defer tr.mutex.Unlock()
	return tr.text.Write(p)
}

// String is all that was said.
func (tr *Transcript) String() string {
	tr.mutex.Lock()
	defer tr.mutex.Unlock()
	return tr.text.String()
}

// Lines are the complete lines from the nth on, counted from 0, each with its end.
func (tr *Transcript) Lines(n int) []string {
	all := strings.SplitAfter(tr.String(), "\n")
	// What follows the last line end is not complete.
	return all[min(n, len(all)-1) : len(all)-1]
}

// Await waits until a pattern matches what was said, and returns its first group, or the whole match if it has none. It gives up, with
// an error, after Patience, or when ended is closed: who has ended says no more. A nil ended never is.
func (tr *Transcript) Await(pattern string, ended <-chan struct{}) (string, error) {
	wanted := regexp.MustCompile(pattern)
	for until := time.Now().Add(Patience); ; time.Sleep(glance) {
		// This is asked before the look, so that the last words count.
		last := isClosed(ended) || time.Now().After(until)
		if found := wanted.FindStringSubmatch(tr.String()); found != nil {
			return found[min(1, len(found)-1)], nil
		}
		if last {
			return "", fmt.Errorf("it does not say %s", pattern)
		}
	}
}

func isClosed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}
