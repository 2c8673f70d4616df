package client

import (
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

// rates count what a consumer does, for tools (class ConsumerStatsManager).
type rates struct {
	since  env.Instant
	topics map[string]*topicRates // by topic, the original one where messages are consumed
}

func (r *rates) of(topic string) *topicRates {
	t := r.topics[topic]
	if t == nil {
		t = &topicRates{since: r.since}
		r.topics[topic] = t
	}
	return t
}

// ratesKept is for how many minutes counts are kept; failures are told of the last hour.
const ratesKept = 60

// topicRates are the counts of one topic in a ring of minutes.
type topicRates struct {
	since   env.Instant
	minutes [ratesKept]counts
}

// counts is what happened within one minute.
type counts struct {
	minute          int64 // since the start; counts of an earlier round of the ring are void
	pulls           int
	messages        int // pulled
	pullTime        time.Duration
	consumed, fails int
	calls           int
	callTime        time.Duration
}

// now returns the counts of the minute that runs.
func (t *topicRates) now(now env.Instant) *counts {
	minute := int64(now.Sub(t.since) / time.Minute)
	m := &t.minutes[minute%ratesKept]
	if m.minute != minute {
		*m = counts{minute: minute}
	}
	return m
}

func (t *topicRates) pulled(now env.Instant, messages int, took time.Duration) {
	m := t.now(now)
	m.pulls++
	m.messages += messages
	m.pullTime += took
}

func (t *topicRates) consumed(now env.Instant, consumed, failed int, took time.Duration) {
	m := t.now(now)
	m.consumed += consumed
	m.fails += failed
	m.calls++
	m.callTime += took
}

// rates sums up the last two minutes, of which one is not over, and the failures of the last hour.
func (t *topicRates) rates(topic string, now env.Instant) proto.ConsumeRates {
	minute := int64(now.Sub(t.since) / time.Minute)
	var sum counts
	failed := 0
	for i := range t.minutes {
		m := &t.minutes[i]
		if m.minute <= minute-ratesKept || m.minute > minute {
			continue
		}
		failed += m.fails
		if m.minute < minute-1 {
			continue
		}
		sum.pulls, sum.messages, sum.pullTime = sum.pulls+m.pulls, sum.messages+m.messages, sum.pullTime+m.pullTime
		sum.consumed, sum.fails = sum.consumed+m.consumed, sum.fails+m.fails
		sum.calls, sum.callTime = sum.calls+m.calls, sum.callTime+m.callTime
	}
	seconds := now.Sub(t.since.Add(time.Duration(max(minute-1, 0)) * time.Minute)).Seconds()
	return proto.ConsumeRates{
		Topic: topic, PullMillis: ratio(millis(sum.pullTime), float64(sum.pulls)), PulledPerSecond: ratio(float64(sum.messages), seconds),
		ConsumeMillis: ratio(millis(sum.callTime), float64(sum.calls)), ConsumedPerSecond: ratio(float64(sum.consumed), seconds),
		FailedPerSecond: ratio(float64(sum.fails), seconds), Failed: int64(failed),
	}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// ratio is 0 where there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
