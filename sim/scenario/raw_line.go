package scenario

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// rawLine is one connection with many requests under way. Whoever asks waits for the answer; a task of the line reads. Opaques are never used
// twice, on no line, so that an answer that went to the wrong place is seen.
type rawLine struct {
	env     env.Env
	conn    env.Conn
	writing *env.Semaphore
	calls   map[int]*rawCall // without an answer, by opaque
	opaque  int              // the last one
	over    bool
	// stray is told of an answer to what nobody has asked on this line, or that was answered before.
	stray func(answer *rawAnswer)
}

// rawCall is a request under way.
type rawCall struct {
	answer *rawAnswer
	ended  env.Cond
}

// opaquesOfLine is how many requests a line may make.
const opaquesOfLine = 1 << 20

// openLine dials. Number tells the line from all others of a run.
func openLine(e env.Env, address string, number int, stray func(*rawAnswer)) (*rawLine, error) {
	conn, err := e.Network.Dial(address, e.Clock.Now().Add(rawPatience))
	if err != nil {
		return nil, err
	}
	l := &rawLine{
		env: e, conn: conn, writing: env.NewSemaphore(e.Tasks, 1), calls: map[int]*rawCall{},
		opaque: number % 2000 * opaquesOfLine, stray: stray,
	}
	e.Tasks.Go("read line", l.read)
	return l, nil
}

// String names the ends.
func (l *rawLine) String() string {
	return fmt.Sprintf("line %s to %s", l.conn.Local(), l.conn.Remote())
}

// ask sends a request and waits for the answer. It is nil if the line ends before, which it does when patience is over.
func (l *rawLine) ask(code int32, fields map[string]string, body []byte, patience time.Duration) *rawAnswer {
	if l.over {
		return nil
	}
	l.opaque++
	call := &rawCall{ended: l.env.Tasks.NewCond()}
	opaque := l.opaque
	l.calls[opaque] = call
	deadline := l.env.Clock.Now().Add(patience)
	l.write(rawHeader{Code: int(code), Language: "GO", Version: 500, Opaque: opaque, Fields: fields}.frame(body))
	for call.answer == nil && !l.over {
		if !call.ended.WaitUntil(deadline) && call.answer == nil {
			l.close()
		}
	}
	delete(l.calls, opaque)
	return call.answer
}

// tell sends a request that wants no answer.
func (l *rawLine) tell(code int32, fields map[string]string, body []byte) {
	l.opaque++
	l.write(rawHeader{Code: int(code), Language: "GO", Version: 500, Opaque: l.opaque, Flag: 2, Fields: fields}.frame(body))
}

// write sends one frame whole.
func (l *rawLine) write(frame []byte) {
	l.writing.Acquire(nil, env.Never)
	defer l.writing.Release()
	if l.over {
		return
	}
	l.conn.SetWriteDeadline(l.env.Clock.Now().Add(rawWriteWithin))
	if l.conn.Write(frame) != nil {
		l.close()
	}
}

// rawWriteWithin is how long a peer may leave bytes unread.
const rawWriteWithin = 30 * time.Second

// read is the task that hands out answers.
func (l *rawLine) read() {
	for !l.over {
		answer, err := readRaw(l.conn)
		switch {
		case err != nil:
			l.close()
		case answer.Flag&1 == 0:
			// The broker asks something itself.
		case l.calls[answer.Opaque] == nil:
			l.stray(answer)
		default:
			call := l.calls[answer.Opaque]
			delete(l.calls, answer.Opaque)
			call.answer = answer
			call.ended.Broadcast()
		}
	}
}

// close cuts the line. Who waits for an answer gets none.
func (l *rawLine) close() {
	if l.over {
		return
	}
	l.over = true
	_ = l.conn.Close() // nothing is left to be done about an error
	for _, opaque := range slices.Sorted(maps.Keys(l.calls)) {
		l.calls[opaque].ended.Broadcast()
	}
}
