package envtest

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

func connClauses() []connClause {
	return []connClause{
		{"Bytes arrive in the order in which they were written, both ways at once", streamAndThenClose, streamAndSeeTheEnd},
		{"Two ends can take turns", playFirst, playSecond},
		{"Write sends all the slices in order", writeSlices, readSlices},
		{"Write leaves the slices to the caller as they were", writeOwnSlices, readSlowly},
		{"Read returns what has arrived, at most its slice", writeTenBytes, readInSmallPieces},
		{"Read calls then once with the number of bytes", writeTenBytes, readWithThen},
		{"Read does not call then on an error", closeAtOnce, readErrorsWithoutThen},
		{"The peer of an orderly Close reads all bytes and io.EOF", writeAndClose, readAllAndEnd},
		{"Close wakes the reader with ErrConnClosed", awaitEnd, closeWhileReading},
		{"Read and Write after Close fail with ErrConnClosed", awaitEnd, useAfterClose},
		{"Write to a peer that has closed ends in ErrReset", closeAtOnce, writeUntilReset},
		{"Close and the deadline setters keep the baton", awaitEnd, someConnCallsKeepTheBaton},
	}
}

// awaitEnd is the other side of clauses about one end.
func awaitEnd(t T, _ env.Env, c env.Conn) { assertEnd(t, c) }

func closeAtOnce(t T, _ env.Env, c env.Conn) { assert.NoError(t, c.Close()) }

// pattern is an endless stream of bytes in which no piece looks like another.
type pattern uint64

// next fills p with the next bytes.
func (s *pattern) next(p []byte) {
	for i := range p {
		*s = *s*6364136223846793005 + 1442695040888963407
		p[i] = byte(*s >> 56)
	}
}

// streamBytes is how much goes each way, in pieces of up to pieceBytes.
const (
	streamBytes = 1 << 20
	pieceBytes  = 40_000
)

// sendPattern writes the stream from its start in pieces of random sizes.
func sendPattern(t T, e env.Env, c env.Conn, s pattern) {
	sizes, p := e.Rand.Stream("sent pieces"), make([]byte, pieceBytes)
	for left := streamBytes; left > 0; {
		piece := p[:min(left, 1+env.IntN(sizes, pieceBytes))]
		s.next(piece)
		if !assert.NoError(t, c.Write(piece)) {
			return
		}
		left -= len(piece)
	}
}

// receivePattern reads the stream from its start with slices of random sizes.
func receivePattern(t T, e env.Env, c env.Conn, s pattern) {
	sizes := e.Rand.Stream("received pieces")
	p, expected := make([]byte, pieceBytes), make([]byte, pieceBytes)
	for left := streamBytes; left > 0; {
		n, err := c.Read(p[:min(left, 1+env.IntN(sizes, pieceBytes))], nil)
		if !assert.NoError(t, err) {
			return
		}
		s.next(expected[:n])
		if string(p[:n]) != string(expected[:n]) {
			t.Errorf("bytes [%d, %d) are not those written", streamBytes-left, streamBytes-left+n)
			return
		}
		left -= n
	}
}

// streamBothWays writes one pattern and reads the other at the same time.
func streamBothWays(t T, e env.Env, c env.Conn, own, peers pattern) {
	writers := newCrew(e)
	writers.start("writer", func() { sendPattern(t, e, c, own) })
	receivePattern(t, e, c, peers)
	writers.join(t)
}

// The one who closes does so after the other has said that it has everything.
func streamAndThenClose(t T, e env.Env, c env.Conn) {
	streamBothWays(t, e, c, 1, 2)
	assertRead(t, c, "I have it all")
}

func streamAndSeeTheEnd(t T, e env.Env, c env.Conn) {
	streamBothWays(t, e, c, 2, 1)
	assert.NoError(t, c.Write([]byte("I have it all")))
	assertEnd(t, c)
}

// turns is how often each end of a connection speaks when they take turns.
const turns = 100

func playFirst(t T, _ env.Env, c env.Conn) {
	for turn := range turns {
		word := fmt.Sprintf("ping%03d", turn)
		if !assert.NoError(t, c.Write([]byte(word))) || !assertRead(t, c, "pong"+word) {
			return
		}
	}
}

func playSecond(t T, _ env.Env, c env.Conn) {
	for turn := range turns {
		word := fmt.Sprintf("ping%03d", turn)
		if !assertRead(t, c, word) || !assert.NoError(t, c.Write([]byte("pong"), []byte(word))) {
			return
		}
	}
	assertEnd(t, c)
}

// manySlices are more than systems take in one call, empty ones among them.
func manySlices() [][]byte {
	var slices [][]byte
	for number := range 3000 {
		slices = append(slices, []byte(strings.Repeat("x", number%7)), fmt.Append(nil, number, " "))
	}
	return slices
}

func writeSlices(t T, _ env.Env, c env.Conn) {
	assert.NoError(t, c.Write())
	assert.NoError(t, c.Write([]byte("one "), nil, []byte{}, []byte("two "), []byte("three ")))
	assert.NoError(t, c.Write(manySlices()...))
	assertEnd(t, c)
}

func readSlices(t T, _ env.Env, c env.Conn) {
	assertRead(t, c, "one two three ")
	expected := ""
	for _, slice := range manySlices() {
		expected += string(slice)
	}
	assertRead(t, c, expected)
}

// Vectored system calls tend to eat the list of slices; the caller may want it again.
func writeOwnSlices(t T, _ env.Env, c env.Conn) {
	slices := [][]byte{[]byte("first "), []byte("second")}
	assert.NoError(t, c.Write(slices...))
	assert.Equal(t, [][]byte{[]byte("first "), []byte("second")}, slices)
	copy(slices[0], "other ")
	copy(slices[1], "bytes!")
	assertEnd(t, c)
}

func readSlowly(t T, e env.Env, c env.Conn) {
	e.Tasks.Sleep(5 * time.Millisecond)
	assertRead(t, c, "first second")
}

func writeTenBytes(t T, _ env.Env, c env.Conn) {
	assert.NoError(t, c.Write([]byte("0123456789")))
	assertEnd(t, c)
}

func readInSmallPieces(t T, _ env.Env, c env.Conn) {
	got := ""
	for len(got) < 10 {
		p := []byte("????####")
		n, err := c.Read(p[:4], nil)
		if !assert.NoError(t, err) {
			return
		}
		assert.GreaterOrEqual(t, n, 1)
		assert.LessOrEqual(t, n, 4)
		assert.Equal(t, "####", string(p[4:]), "Read wrote beyond its slice")
		got += string(p[:n])
	}
	assert.Equal(t, "0123456789", got)
}

// then sees the bytes in the slice, and has returned when Read returns.
func readWithThen(t T, _ env.Env, c env.Conn) {
	got := ""
	for len(got) < 10 {
		p, seen, times := make([]byte, 4), 0, 0
		n, err := c.Read(p, func(n int) {
			got += string(p[:n])
			seen = n
			times++
		})
		if !assert.NoError(t, err) {
			return
		}
		assert.Equal(t, 1, times, "then is called once")
		assert.Equal(t, n, seen, "then gets the number that Read returns")
	}
	assert.Equal(t, "0123456789", got)
}

func readErrorsWithoutThen(t T, e env.Env, c env.Conn) {
	p, then := make([]byte, 4), func(n int) { t.Errorf("then was called with %d", n) }
	_, err := c.Read(p, then)
	assert.ErrorIs(t, err, io.EOF)
	assert.NoError(t, c.Close())
	_, err = c.Read(p, then)
	assert.ErrorIs(t, err, env.ErrConnClosed)
}

// closingBytes go out just before a Close.
const closingBytes = 100_000

func writeAndClose(t T, _ env.Env, c env.Conn) {
	s, p := pattern(3), make([]byte, closingBytes)
	s.next(p)
	assert.NoError(t, c.Write(p))
	assert.NoError(t, c.Close())
}

// The reader starts late, when the peer is long gone.
func readAllAndEnd(t T, e env.Env, c env.Conn) {
	s, expected := pattern(3), make([]byte, closingBytes)
	s.next(expected)
	e.Tasks.Sleep(10 * time.Millisecond)
	got, err := readUntilEnd(c)
	assert.ErrorIs(t, err, io.EOF)
	assert.Len(t, got, closingBytes)
	assert.True(t, got == string(expected), "the bytes are not those written")
}

func closeWhileReading(t T, e env.Env, c env.Conn) {
	readers := newCrew(e)
	readers.start("reader", func() {
		_, err := c.Read(make([]byte, 4), nil)
		assert.ErrorIs(t, err, env.ErrConnClosed)
	})
	e.Tasks.Sleep(2 * time.Millisecond)
	assert.NoError(t, c.Close())
	readers.join(t)
}

func useAfterClose(t T, _ env.Env, c env.Conn) {
	assert.NoError(t, c.Close())
	_, err := c.Read(make([]byte, 4), nil)
	assert.ErrorIs(t, err, env.ErrConnClosed, "Read")
	assert.ErrorIs(t, c.Write([]byte("x")), env.ErrConnClosed, "Write")
}

// The first writes may succeed, since the peer's refusal takes a while to arrive.
func writeUntilReset(t T, e env.Env, c env.Conn) {
	var err error
	eventually(e, func() bool {
		err = c.Write([]byte("is anybody there?"))
		return err != nil
	})
	assert.ErrorIs(t, err, env.ErrReset)
}

func someConnCallsKeepTheBaton(t T, e env.Env, c env.Conn) {
	intruded := false
	others := newCrew(e)
	others.start("intruder", func() { intruded = true })
	for range 100 {
		c.SetReadDeadline(soon(e))
		c.SetWriteDeadline(env.Never)
		c.Local()
		c.Remote()
		think()
	}
	assert.NoError(t, c.Close())
	assert.False(t, intruded, "Close, a setter or an address gave up the baton")
	others.join(t)
}
