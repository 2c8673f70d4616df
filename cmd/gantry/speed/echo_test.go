package speed_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/stretchr/testify/require"
)

// yardstickVariable makes this binary the yardstick: a process that prints its address and answers.
const yardstickVariable = "GANTRY_SPEED_YARDSTICK"

// yardstick serves until its standard input ends. A connection begins with the sizes of a request and of a response.
func yardstick() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr())
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answer(conn)
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// answer writes a response for each request. Those that come at once are answered at once.
func answer(conn net.Conn) {
	defer conn.Close()
	var sizes [2]uint32
	if binary.Read(conn, binary.BigEndian, &sizes) != nil {
		return
	}
	responses := make([]byte, int(sizes[1])*max(1, 64<<10/int(sizes[1])))
	requests := make([]byte, 256<<10)
	for have := 0; ; {
		n, err := conn.Read(requests)
		if err != nil {
			return
		}
		have += n
		for have >= int(sizes[0]) {
			whole := min(have/int(sizes[0]), len(responses)/int(sizes[1]))
			if _, err := conn.Write(responses[:whole*int(sizes[1])]); err != nil {
				return
			}
			have -= whole * int(sizes[0])
		}
	}
}

// echo is the yardstick's side that asks.
type echo struct {
	conns           []net.Conn
	asked, answered []byte
	inFlight        int
}

// newEcho starts a yardstick and connects to it. Each connection has some requests in flight.
func newEcho(b *testing.B, connections, inFlight int, asked, answered []byte) *echo {
	b.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), yardstickVariable+"=yes")
	// Its standard input ends with this process, even if that is killed.
	_, err := command.StdinPipe()
	require.NoError(b, err)
	address, err := processtest.Launch(b, command).Says(`(\S+)\n`)
	require.NoError(b, err)
	e := &echo{asked: asked, answered: answered, inFlight: inFlight}
	for range connections {
		conn := dial(b, address)
		require.NoError(b, binary.Write(conn, binary.BigEndian, [2]uint32{uint32(len(asked)), uint32(len(answered))}))
		e.conns = append(e.conns, conn)
	}
	return e
}

// turn asks so often in all and returns how long that took.
func (e *echo) turn(b *testing.B, requests int) time.Duration {
	b.Helper()
	began := time.Now()
	var all sync.WaitGroup
	for i, conn := range e.conns {
		all.Go(func() { e.ask(b, conn, share(requests, len(e.conns), i)) })
	}
	all.Wait()
	return time.Since(began)
}

func (e *echo) ask(b *testing.B, conn net.Conn, requests int) {
	at := make([]byte, 0, e.inFlight*len(e.asked))
	for range e.inFlight {
		at = append(at, e.asked...)
	}
	answers := make([]byte, e.inFlight*len(e.answered))
	for left := requests; left > 0; left -= e.inFlight {
		n := min(left, e.inFlight)
		if _, err := conn.Write(at[:n*len(e.asked)]); err != nil {
			b.Error(err)
			return
		}
		if _, err := io.ReadFull(conn, answers[:n*len(e.answered)]); err != nil {
			b.Error(err)
			return
		}
	}
}

// share is what the i-th of several has to do.
func share(work, several, i int) int {
	return work/several + min(1, max(0, work%several-i))
}

// race is a sum of turns of both sides.
type race struct {
	ours, echo       time.Duration
	messages, echoes int
}

// report shows messages a second, and which part they are of what the yardstick does. Each of its responses stands for some messages.
func (r *race) report(b *testing.B, messagesOfResponse int) {
	b.Helper()
	ours := float64(r.messages) / r.ours.Seconds()
	echo := float64(r.echoes*messagesOfResponse) / r.echo.Seconds()
	b.ReportMetric(ours, "messages/s")
	b.ReportMetric(echo, "echoed/s")
	b.ReportMetric(ours/echo, "of-echo")
	b.ReportMetric(0, "ns/op")
}
