package envtest

import (
	"io"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

func deadlineClauses() []connClause {
	return []connClause{
		{"A read deadline ends Read with ErrDeadline, and the connection stays usable", answerWhenAsked, readTwice},
		{"SetReadDeadline ends a Read under way", awaitEnd, endReadUnderWay},
		{"A read deadline that has passed ends Read at once", awaitEnd, readInThePast},
		{"A read deadline that has passed ends Read even if bytes wait", sayWord, readWaitingBytesInThePast},
		{"A write deadline that has passed ends Write even if there is room", awaitLastWord, writeInThePast},
		{"Never removes a read deadline", writeLate, removeReadDeadline},
		{"Never removes a write deadline", awaitWord, removeWriteDeadline},
		{"A read deadline does not end Write, nor a write deadline Read", answerWhenAsked, deadlinesAreSeparateWays},
	}
}

// word is what goes through the connections of these clauses.
const word = "word"

func awaitWord(t T, _ env.Env, c env.Conn) {
	assertRead(t, c, word)
	assertEnd(t, c)
}

// answerWhenAsked says nothing until it is asked, so that the peer can read in vain.
func answerWhenAsked(t T, _ env.Env, c env.Conn) {
	assertRead(t, c, "ask")
	assert.NoError(t, c.Write([]byte(word)))
	assertEnd(t, c)
}

func readTwice(t T, e env.Env, c env.Conn) {
	deadline := e.Clock.Now().Add(5 * time.Millisecond)
	c.SetReadDeadline(deadline)
	for range 2 {
		_, err := c.Read(make([]byte, 4), func(int) { t.Errorf("then was called on an error") })
		assert.ErrorIs(t, err, env.ErrDeadline)
		assert.True(t, deadline.Reached(e.Clock.Now()), "Read ended before its deadline")
	}
	c.SetReadDeadline(soon(e))
	assert.NoError(t, c.Write([]byte("ask")))
	assertRead(t, c, word)
}

// The reader has no deadline when it begins, so only the setter can end it.
func endReadUnderWay(t T, e env.Env, c env.Conn) {
	c.SetReadDeadline(env.Never)
	readers := newCrew(e)
	readers.start("reader", func() {
		_, err := c.Read(make([]byte, 4), nil)
		assert.ErrorIs(t, err, env.ErrDeadline)
	})
	e.Tasks.Sleep(2 * time.Millisecond)
	c.SetReadDeadline(e.Clock.Now().Add(2 * time.Millisecond))
	readers.join(t)
}

func readInThePast(t T, e env.Env, c env.Conn) {
	e.Tasks.Sleep(time.Millisecond)
	c.SetReadDeadline(e.Clock.Now())
	_, err := c.Read(make([]byte, 4), nil)
	assert.ErrorIs(t, err, env.ErrDeadline)
}

func sayWord(t T, _ env.Env, c env.Conn) {
	assert.NoError(t, c.Write([]byte(word)))
	assertEnd(t, c)
}

// Having read the first byte alone, the reader knows that the others are there.
func readWaitingBytesInThePast(t T, e env.Env, c env.Conn) {
	assertRead(t, c, word[:1])
	c.SetReadDeadline(e.Clock.Now())
	_, err := c.Read(make([]byte, 4), nil)
	assert.ErrorIs(t, err, env.ErrDeadline)
	c.SetReadDeadline(soon(e))
	if err != nil {
		assertRead(t, c, word[1:])
	}
}

// awaitLastWord allows for bytes of a Write that its caller gave up on.
func awaitLastWord(t T, _ env.Env, c env.Conn) {
	got, err := readUntilEnd(c)
	assert.ErrorIs(t, err, io.EOF)
	assert.True(t, strings.HasSuffix(got, word), "got %q", got)
}

func writeInThePast(t T, e env.Env, c env.Conn) {
	e.Tasks.Sleep(time.Millisecond)
	c.SetWriteDeadline(e.Clock.Now())
	assert.ErrorIs(t, c.Write([]byte("too late")), env.ErrDeadline)
	c.SetWriteDeadline(soon(e))
	assert.NoError(t, c.Write([]byte(word)))
}

func writeLate(t T, e env.Env, c env.Conn) {
	e.Tasks.Sleep(20 * time.Millisecond)
	assert.NoError(t, c.Write([]byte(word)))
	assertEnd(t, c)
}

func removeReadDeadline(t T, e env.Env, c env.Conn) {
	c.SetReadDeadline(e.Clock.Now().Add(5 * time.Millisecond))
	c.SetReadDeadline(env.Never)
	assertRead(t, c, word)
}

func removeWriteDeadline(t T, e env.Env, c env.Conn) {
	c.SetWriteDeadline(e.Clock.Now())
	e.Tasks.Sleep(time.Millisecond)
	c.SetWriteDeadline(env.Never)
	assert.NoError(t, c.Write([]byte(word)))
}

func deadlinesAreSeparateWays(t T, e env.Env, c env.Conn) {
	past := e.Clock.Now()
	e.Tasks.Sleep(time.Millisecond)
	c.SetReadDeadline(past)
	assert.NoError(t, c.Write([]byte("ask")))
	c.SetReadDeadline(soon(e))
	c.SetWriteDeadline(past)
	assertRead(t, c, word)
}
