package acceptance_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A group that runs is moved from outside: back to a time, then ahead.
func TestEndToEndALiveConsumerFollowsAReset(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "reset", 2)
	p := c.producer(t)
	m := c.consume(t, "reset", topic)
	sendRange(t, p, topic, 1, 10)
	gets(t, between(1, 10), m)
	// Times are compared in milliseconds.
	time.Sleep(20 * time.Millisecond)
	moment := strconv.FormatInt(time.Now().UnixMilli(), 10)
	time.Sleep(20 * time.Millisecond)
	sendRange(t, p, topic, 11, 20)
	gets(t, between(1, 20), m)
	soon(t, func() bool { return c.lag(t, "reset", topic) == 0 }, "offsets are not stored")

	moved := c.tool(t, "resetOffsetByTime", "-g", "reset", "-t", topic, "-s", moment)
	require.Equal(t, 4, strings.Count(moved, "broker-"), "one line for each queue: %s", moved)
	gets(t, append(between(1, 20), between(11, 20)...), m)
	soon(t, func() bool { return c.lag(t, "reset", topic) == 0 }, "offsets are not stored")

	c.tool(t, "resetOffsetByTime", "-g", "reset", "-t", topic, "-s", "1")
	soon(t, func() bool { return len(bodies(m)) == 50 }, "the group does not begin anew")
}

func TestEndToEndAGroupThatIsAwayIsResetToo(t *testing.T) {
	endToEnd(t)
	c := shared(t)
	topic := c.topic(t, "away", 2)
	p := c.producer(t)
	sendRange(t, p, topic, 1, 10)
	m := c.consume(t, "away", topic)
	gets(t, between(1, 10), m)
	m.leave(t)
	sendRange(t, p, topic, 11, 20)
	require.Equal(t, int64(10), c.lag(t, "away", topic))
	c.tool(t, "skipAccumulatedMessage", "-g", "away", "-t", topic)
	require.Zero(t, c.lag(t, "away", topic))
	sendRange(t, p, topic, 21, 25)
	gets(t, between(21, 25), c.consume(t, "away", topic))

	for name, reset := range map[string]struct {
		line []string
		want string
	}{
		"an unknown group": {[]string{"-g", "nobody", "-t", topic, "-s", "now"}, "nobody"},
		"an unknown topic": {[]string{"-g", "away", "-t", "nowhere", "-s", "now"}, "nowhere"},
		"no time":          {[]string{"-g", "away", "-t", topic}, "-s (--timestamp) is missing"},
		"a strange time":   {[]string{"-g", "away", "-t", topic, "-s", "yesterday"}, "neither milliseconds since 1970 nor a date"},
	} {
		code, text := c.run(t, "resetOffsetByTime", reset.line...)
		require.NotZero(t, code, name)
		require.Contains(t, text, reset.want, name)
	}
}
