package envtest

import (
	"io"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

// pairClause is a sentence that takes two machines.
type pairClause struct {
	sentence string
	dialer   func(t T, e env.Env, address string)
	listener func(t T, e env.Env, ready func(port uint16))
}

// checkPairs gives each clause a subtest and two fresh nodes.
func checkPairs(t *testing.T, w World, clauses []pairClause) {
	t.Helper()
	for _, c := range clauses {
		t.Run(c.sentence, func(t *testing.T) { w.RunPair(t, c.dialer, c.listener) })
	}
}

// connClause is a sentence that takes one connection, seen from both ends.
type connClause struct {
	sentence         string
	dialer, accepter func(t T, e env.Env, c env.Conn)
}

// checkConns gives each clause a subtest, two fresh nodes and a connection between them.
func checkConns(t *testing.T, w World, clauses []connClause) {
	t.Helper()
	var pairs []pairClause
	for _, clause := range clauses {
		pairs = append(pairs, pairClause{
			sentence: clause.sentence,
			dialer: func(t T, e env.Env, address string) {
				withDial(t, e, address, func(c env.Conn) { clause.dialer(t, e, c) })
			},
			listener: func(t T, e env.Env, ready func(port uint16)) {
				withLimitedListener(t, e, func(l env.Listener) {
					ready(l.Addr().Port())
					withAccept(t, l, e, func(c env.Conn) { clause.accepter(t, e, c) })
				})
			},
		})
	}
	checkPairs(t, w, pairs)
}

// setLimits keeps a clause from hanging on its peer.
func setLimits(e env.Env, c env.Conn) {
	c.SetReadDeadline(soon(e))
	c.SetWriteDeadline(soon(e))
}

// withDial connects, calls fn, and closes the connection.
func withDial(t T, e env.Env, address string, fn func(c env.Conn)) {
	t.Helper()
	c, err := e.Network.Dial(address, soon(e))
	if !assert.NoError(t, err, "Dial(%q)", address) {
		return
	}
	defer c.Close()
	setLimits(e, c)
	fn(c)
}

// withAccept takes one connection, calls fn, and closes it.
func withAccept(t T, l env.Listener, e env.Env, fn func(c env.Conn)) {
	t.Helper()
	c, err := l.Accept()
	if !assert.NoError(t, err, "Accept") {
		return
	}
	defer c.Close()
	setLimits(e, c)
	fn(c)
}

// withLimitedListener is withListener for a port that a peer will dial. Accept has
// no deadline, so a guard closes the listener when patience ends or fn returns.
func withLimitedListener(t T, e env.Env, fn func(l env.Listener)) {
	t.Helper()
	withListener(t, e, func(l env.Listener) {
		cond, done, limit := e.Tasks.NewCond(), false, soon(e)
		c := newCrew(e)
		c.start("listener guard", func() {
			for !done && cond.WaitUntil(limit) {
			}
			l.Close()
		})
		fn(l)
		done = true
		cond.Signal()
		c.join(t)
	})
}

// readFull reads n bytes, in as many pieces as they come.
func readFull(c env.Conn, n int) (string, error) {
	p := make([]byte, n)
	for got := 0; got < n; {
		more, err := c.Read(p[got:], nil)
		if err != nil {
			return string(p[:got]), err
		}
		got += more
	}
	return string(p), nil
}

// readUntilEnd reads until an error, which it returns with all that came before.
func readUntilEnd(c env.Conn) (string, error) {
	var all []byte
	p := make([]byte, 64<<10)
	for {
		n, err := c.Read(p, nil)
		if err != nil {
			return string(all), err
		}
		all = append(all, p[:n]...)
	}
}

// assertRead checks the next bytes of the stream.
func assertRead(t T, c env.Conn, expected string) bool {
	t.Helper()
	got, err := readFull(c, len(expected))
	return assert.NoError(t, err, "Read") && assert.Equal(t, expected, got)
}

// assertEnd checks that nothing more comes and that the peer closed in order.
func assertEnd(t T, c env.Conn) bool {
	t.Helper()
	got, err := readUntilEnd(c)
	return assert.ErrorIs(t, err, io.EOF) && assert.Empty(t, got)
}
