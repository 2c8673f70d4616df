package envtest

import (
	"fmt"
	"io"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

func pressureClauses() []pairClause {
	return []pairClause{
		pressureClause("A writer waits while its peer does not read, and goes on when it does",
			writeAgainstPressure, drainWhenTold),
		pressureClause("SetWriteDeadline ends a Write under way", endWriteUnderWay, neverRead),
		pressureClause("Close wakes the writer with ErrConnClosed", closeWhileWriting, neverRead),
		pressureClause("A waiting writer whose peer closes ends in ErrReset", awaitReset, closeUnread),
	}
}

// pressureEnd is one end of two connections: data, which fills up, and control, by which the
// ends still understand each other then.
type pressureEnd func(t T, e env.Env, data, control env.Conn)

// pressureClause makes both connections. Nothing orders two connections, so the second
// is dialled when the first has been accepted.
func pressureClause(sentence string, dialer, accepter pressureEnd) pairClause {
	return pairClause{sentence, func(t T, e env.Env, address string) {
		withDial(t, e, address, func(data env.Conn) {
			if assertRead(t, data, "accepted") {
				withDial(t, e, address, func(control env.Conn) { dialer(t, e, data, control) })
			}
		})
	}, func(t T, e env.Env, ready func(port uint16)) {
		withLimitedListener(t, e, func(l env.Listener) {
			ready(l.Addr().Port())
			withAccept(t, l, e, func(data env.Conn) {
				assert.NoError(t, data.Write([]byte("accepted")))
				withAccept(t, l, e, func(control env.Conn) { accepter(t, e, data, control) })
			})
		})
	}}
}

// tooMuch is 64 MiB, more than the buffers of any connection take.
func tooMuch() [][]byte {
	slices, chunk := make([][]byte, 64), make([]byte, 1<<20)
	for i := range slices {
		slices[i] = chunk
	}
	return slices
}

// A Write that its deadline has ended may leave a connection of no use, so these have none. The writer stops once it has seen that it
// goes on: to move all that buffers hold may take a slow world long.
func writeAgainstPressure(t T, e env.Env, data, control env.Conn) {
	data.SetWriteDeadline(env.Never)
	written, enough := 0, false
	writers := newCrew(e)
	writers.start("writer", func() {
		for piece := make([]byte, 256<<10); !enough && assert.NoError(t, data.Write(piece)); {
			written++
		}
	})
	before := -1
	waits := eventually(e, func() bool {
		stands := written == before
		before = written
		e.Tasks.Sleep(50 * time.Millisecond)
		return stands && written == before
	})
	assert.True(t, waits, "the writer did not wait for its peer")
	assert.NoError(t, control.Write([]byte("read now")))
	assert.True(t, eventually(e, func() bool { return written > before }), "the writer does not go on")
	enough = true
	writers.join(t)
	assert.NoError(t, data.Write([]byte("the end")))
	assert.NoError(t, data.Close())
	assertRead(t, control, fmt.Sprintf("%010d", written*(256<<10)+len("the end")))
	assertEnd(t, control)
}

// drainWhenTold says how much came.
func drainWhenTold(t T, e env.Env, data, control env.Conn) {
	assertRead(t, control, "read now")
	last, total := "", 0
	p := make([]byte, 256<<10)
	for {
		data.SetReadDeadline(soon(e))
		n, err := data.Read(p, nil)
		if err != nil {
			assert.ErrorIs(t, err, io.EOF)
			break
		}
		total += n
		last += string(p[:n])
		last = last[max(0, len(last)-len("the end")):]
	}
	assert.Equal(t, "the end", last)
	assert.NoError(t, control.Write(fmt.Appendf(nil, "%010d", total)))
}

// neverRead keeps data open and unread until the peer has seen enough.
func neverRead(t T, _ env.Env, _, control env.Conn) { assertRead(t, control, "enough") }

// blockWriter starts a task whose Write has no deadline and waits in vain, ends it, and
// checks how it ended.
func blockWriter(t T, e env.Env, data env.Conn, end func(), expected error) {
	t.Helper()
	data.SetWriteDeadline(env.Never)
	ended := false
	writers := newCrew(e)
	writers.start("writer", func() {
		assert.ErrorIs(t, data.Write(tooMuch()...), expected)
		ended = true
	})
	e.Tasks.Sleep(50 * time.Millisecond)
	assert.False(t, ended, "the writer did not wait for its peer")
	end()
	writers.join(t)
}

// sayEnough lets the peer of neverRead go.
func sayEnough(t T, control env.Conn) {
	t.Helper()
	assert.NoError(t, control.Write([]byte("enough")))
	assertEnd(t, control)
}

func endWriteUnderWay(t T, e env.Env, data, control env.Conn) {
	end := func() { data.SetWriteDeadline(e.Clock.Now()) }
	blockWriter(t, e, data, end, env.ErrDeadline)
	sayEnough(t, control)
}

func closeWhileWriting(t T, e env.Env, data, control env.Conn) {
	end := func() { assert.NoError(t, data.Close()) }
	blockWriter(t, e, data, end, env.ErrConnClosed)
	sayEnough(t, control)
}

// The buffers on the way are full and quiet by then, so the peer's Close alone must reach
// the writer.
func awaitReset(t T, e env.Env, data, control env.Conn) {
	end := func() { assert.NoError(t, control.Write([]byte("close now"))) }
	blockWriter(t, e, data, end, env.ErrReset)
}

func closeUnread(t T, _ env.Env, data, control env.Conn) {
	assertRead(t, control, "close now")
	assert.NoError(t, data.Close())
	assertEnd(t, control)
}
