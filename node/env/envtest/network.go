package envtest

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

// TestNetwork holds a world to env.Network, env.Listener and env.Conn, without
// faults of the network.
func TestNetwork(t *testing.T, w World) {
	t.Run("Listener", func(t *testing.T) { check(t, w, listenerClauses()) })
	t.Run("Dial", func(t *testing.T) { checkPairs(t, w, dialClauses()) })
	t.Run("Conn", func(t *testing.T) { checkConns(t, w, connClauses()) })
	t.Run("Deadlines", func(t *testing.T) { checkConns(t, w, deadlineClauses()) })
	t.Run("Pressure", func(t *testing.T) { checkPairs(t, w, pressureClauses()) })
}

func listenerClauses() []clause {
	return []clause{
		{"Port 0 means any free port, and Addr tells which", portZeroIsAnyPort},
		{"A port that another listener has is ErrAddressInUse", takenPortIsRefused},
		{"A closed listener gives its port free", closeFreesPort},
		{"Close wakes Accept with ErrConnClosed", closeWakesAccept},
		{"Accept after Close fails with ErrConnClosed", acceptAfterClose},
		{"An address that is not host:port is an error", malformedAddresses},
		{"A name without an address is ErrUnknownHost", unknownHost},
		{"Addr and Close keep the baton", someListenerCallsKeepTheBaton},
	}
}

// withListener opens a free port, calls fn, and closes it.
func withListener(t T, e env.Env, fn func(l env.Listener)) {
	t.Helper()
	l, err := e.Network.Listen(":0")
	if !assert.NoError(t, err) {
		return
	}
	defer l.Close()
	fn(l)
}

func portZeroIsAnyPort(t T, e env.Env) {
	withListener(t, e, func(first env.Listener) {
		withListener(t, e, func(second env.Listener) {
			assert.True(t, first.Addr().IsValid())
			assert.NotZero(t, first.Addr().Port())
			assert.NotEqual(t, first.Addr().Port(), second.Addr().Port())
		})
	})
}

// onPort is the address of all hosts with a port.
func onPort(l env.Listener) string { return fmt.Sprintf(":%d", l.Addr().Port()) }

func takenPortIsRefused(t T, e env.Env) {
	withListener(t, e, func(l env.Listener) {
		other, err := e.Network.Listen(onPort(l))
		assert.ErrorIs(t, err, env.ErrAddressInUse)
		assert.ErrorContains(t, err, onPort(l), "errors name the address")
		if err == nil {
			other.Close()
		}
	})
}

func closeFreesPort(t T, e env.Env) {
	withListener(t, e, func(l env.Listener) {
		assert.NoError(t, l.Close())
		again, err := e.Network.Listen(onPort(l))
		if assert.NoError(t, err) {
			assert.Equal(t, l.Addr().Port(), again.Addr().Port())
			assert.NoError(t, again.Close())
		}
	})
}

func closeWakesAccept(t T, e env.Env) {
	withListener(t, e, func(l env.Listener) {
		c := newCrew(e)
		c.start("accepter", func() {
			_, err := l.Accept()
			assert.ErrorIs(t, err, env.ErrConnClosed)
		})
		e.Tasks.Sleep(2 * time.Millisecond)
		assert.NoError(t, l.Close())
		c.join(t)
	})
}

func acceptAfterClose(t T, e env.Env) {
	withListener(t, e, func(l env.Listener) {
		assert.NoError(t, l.Close())
		_, err := l.Accept()
		assert.ErrorIs(t, err, env.ErrConnClosed)
	})
}

func malformedAddresses(t T, e env.Env) {
	for _, address := range []string{"", "no port", "host:port:more", ":99999"} {
		_, err := e.Network.Listen(address)
		assert.Error(t, err, "Listen(%q)", address)
		_, err = e.Network.Dial(address, soon(e))
		assert.Error(t, err, "Dial(%q)", address)
	}
}

// A name with an empty part cannot exist, so no name service needs to be asked.
func unknownHost(t T, e env.Env) {
	_, err := e.Network.Dial("no..such..host:10911", soon(e))
	assert.ErrorIs(t, err, env.ErrUnknownHost)
	assert.ErrorContains(t, err, "no..such..host", "errors name the address")
}

func someListenerCallsKeepTheBaton(t T, e env.Env) {
	withListener(t, e, func(l env.Listener) {
		intruded := false
		c := newCrew(e)
		c.start("intruder", func() { intruded = true })
		for range 300 {
			l.Addr()
			think()
		}
		assert.NoError(t, l.Close())
		assert.False(t, intruded, "Addr or Close gave up the baton")
		c.join(t)
	})
}

func dialClauses() []pairClause {
	return []pairClause{
		{"Dial of a port where nobody listens is ErrRefused", dialRefused, listenNoMore},
		{"Dial whose deadline has passed is ErrDeadline", dialTooLate, listenForLateDialer},
		{"Dial may wait without a deadline", dialWithoutDeadline, acceptOne},
		{"Accepted connections outlive their listener", dialAndRead, acceptAndCloseListener},
		{"Local and Remote are the two ends", dialerComparesEnds, accepterTellsEnds},
		{"Many connections live beside each other", dialMany, acceptMany},
	}
}

func dialRefused(t T, e env.Env, address string) {
	c, err := e.Network.Dial(address, soon(e))
	assert.ErrorIs(t, err, env.ErrRefused)
	_, port, _ := strings.Cut(address, ":")
	assert.ErrorContains(t, err, port, "errors name the address")
	if err == nil {
		c.Close()
	}
}

// listenNoMore names a port that was open a moment ago, so surely none that another has.
func listenNoMore(t T, e env.Env, ready func(port uint16)) {
	withListener(t, e, func(l env.Listener) {
		assert.NoError(t, l.Close())
		ready(l.Addr().Port())
	})
}

// The listener learns from a second, timely connection that the first has been tried.
func dialTooLate(t T, e env.Env, address string) {
	e.Tasks.Sleep(time.Millisecond)
	c, err := e.Network.Dial(address, e.Clock.Now())
	assert.ErrorIs(t, err, env.ErrDeadline)
	if err == nil {
		c.Close()
	}
	withDial(t, e, address, func(c env.Conn) { assert.NoError(t, c.Write([]byte("done"))) })
}

// A late connection may have been made before its dialer gave up on it; it ends without
// a byte.
func listenForLateDialer(t T, e env.Env, ready func(port uint16)) {
	withLimitedListener(t, e, func(l env.Listener) {
		ready(l.Addr().Port())
		for range 2 {
			done := false
			withAccept(t, l, e, func(c env.Conn) {
				said, err := readUntilEnd(c)
				done = errors.Is(err, io.EOF) && said == "done"
			})
			if done {
				return
			}
		}
		t.Errorf("the timely connection did not come")
	})
}

func dialWithoutDeadline(t T, e env.Env, address string) {
	c, err := e.Network.Dial(address, env.Never)
	if assert.NoError(t, err) {
		defer c.Close()
		setLimits(e, c)
		assertEnd(t, c)
	}
}

func acceptOne(t T, e env.Env, ready func(port uint16)) {
	withLimitedListener(t, e, func(l env.Listener) {
		ready(l.Addr().Port())
		withAccept(t, l, e, func(env.Conn) {})
	})
}

func dialAndRead(t T, e env.Env, address string) {
	withDial(t, e, address, func(c env.Conn) {
		assert.NoError(t, c.Write([]byte("request")))
		assertRead(t, c, "reply")
	})
}

func acceptAndCloseListener(t T, e env.Env, ready func(port uint16)) {
	withLimitedListener(t, e, func(l env.Listener) {
		ready(l.Addr().Port())
		withAccept(t, l, e, func(c env.Conn) {
			assert.NoError(t, l.Close())
			assertRead(t, c, "request")
			assert.NoError(t, c.Write([]byte("reply")))
			assertEnd(t, c)
		})
	})
}

// The accepter says which ends it sees, and the dialer must see them the other way round.
func dialerComparesEnds(t T, e env.Env, address string) {
	withDial(t, e, address, func(c env.Conn) {
		_, port, _ := strings.Cut(address, ":")
		assert.Equal(t, port, strconv.Itoa(int(c.Remote().Port())))
		said, err := readUntilEnd(c)
		assert.ErrorIs(t, err, io.EOF)
		assert.Equal(t, ends(c.Remote(), c.Local()), said)
	})
}

func accepterTellsEnds(t T, e env.Env, ready func(port uint16)) {
	withLimitedListener(t, e, func(l env.Listener) {
		ready(l.Addr().Port())
		withAccept(t, l, e, func(c env.Conn) {
			assert.True(t, c.Local().IsValid())
			assert.True(t, c.Remote().IsValid())
			assert.NoError(t, c.Write([]byte(ends(c.Local(), c.Remote()))))
		})
	})
}

// ends prints two addresses, IPv4 alike whether or not they are wrapped in IPv6.
func ends(local, remote netip.AddrPort) string {
	plain := func(a netip.AddrPort) netip.AddrPort {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return fmt.Sprintf("%v %v", plain(local), plain(remote))
}

// manyConns is how many connections the dialer opens at once.
const manyConns = 8

func dialMany(t T, e env.Env, address string) {
	c := newCrew(e)
	c.startMany(manyConns, "dialer", func(number int) {
		withDial(t, e, address, func(c env.Conn) {
			for round := range 20 {
				word := fmt.Sprintf("%d/%02d ", number, round)
				if !assert.NoError(t, c.Write([]byte(word))) || !assertRead(t, c, word) {
					return
				}
			}
		})
	})
	c.join(t)
}

func acceptMany(t T, e env.Env, ready func(port uint16)) {
	withLimitedListener(t, e, func(l env.Listener) {
		ready(l.Addr().Port())
		c := newCrew(e)
		c.startMany(manyConns, "accepter", func(int) {
			withAccept(t, l, e, func(c env.Conn) { echo(t, c) })
		})
		c.join(t)
	})
}

// echo sends everything back until the peer has closed.
func echo(t T, c env.Conn) {
	t.Helper()
	p := make([]byte, 64)
	for {
		n, err := c.Read(p, nil)
		if err != nil {
			assert.ErrorIs(t, err, io.EOF)
			return
		}
		if !assert.NoError(t, c.Write(p[:n])) {
			return
		}
	}
}
