package broker

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// latencies counts how long calls took, in the buckets of class StoreStatsService. It has no clock: now is an argument, which must not
// go back.
type latencies struct {
	longest      time.Duration
	distribution [len(distributionBounds) + 1]int64 // since the start
	// Of the minute under way and the one before: what was slow yesterday says nothing of today.
	current, before []int64
	minute          int64
}

// distributionBounds are the upper ends of the coarse buckets but the last one, in milliseconds.
var distributionBounds = [...]int64{0, 10, 50, 100, 200, 500, 1000, 2000, 3000, 4000, 5000, 10_000}

// percentileBounds are the upper ends of the fine buckets but the last one, in milliseconds.
var percentileBounds = makePercentileBounds()

func makePercentileBounds() (bounds []int64) {
	at := int64(0)
	for _, part := range []struct{ step, to int64 }{{1, 20}, {2, 50}, {5, 100}, {10, 200}, {50, 500}, {100, 1000}, {1000, 10_000}} {
		for at < part.to {
			at += part.step
			bounds = append(bounds, at)
		}
	}
	return bounds
}

func newLatencies() latencies {
	return latencies{current: make([]int64, len(percentileBounds)+1), before: make([]int64, len(percentileBounds)+1)}
}

// add counts a call.
func (l *latencies) add(now env.Instant, took time.Duration) {
	l.roll(now)
	l.longest = max(l.longest, took)
	millis := took.Milliseconds()
	coarse, _ := slices.BinarySearch(distributionBounds[:], millis)
	l.distribution[coarse]++
	l.current[fineBucket(millis)]++
}

// fineBucket is the bucket of whole milliseconds: up to 20 it is their number.
func fineBucket(millis int64) int {
	if millis <= 1 {
		return 0
	}
	i, _ := slices.BinarySearch(percentileBounds, millis)
	return i
}

func (l *latencies) roll(now env.Instant) {
	minute := int64(now) / int64(time.Minute)
	if minute == l.minute {
		return
	}
	l.current, l.before = l.before, l.current
	clear(l.current)
	if minute > l.minute+1 {
		clear(l.before)
	}
	l.minute = minute
}

// percentile is how many milliseconds that share of the last calls took at most, 0 without calls.
func (l *latencies) percentile(now env.Instant, share float64) float64 {
	l.roll(now)
	all := int64(0)
	for i := range l.current {
		all += l.current[i] + l.before[i]
	}
	seen := int64(0)
	for i, bound := range percentileBounds {
		seen += l.current[i] + l.before[i]
		if all > 0 && float64(seen) >= share*float64(all) {
			return float64(bound)
		}
	}
	if all == 0 {
		return 0
	}
	return float64(l.longest.Milliseconds())
}

// String shows the coarse buckets.
func (l *latencies) String() string {
	var text strings.Builder
	low := int64(0)
	for i, n := range l.distribution {
		switch {
		case i == 0:
			fmt.Fprintf(&text, "[<=0ms]:%d", n)
		case i == len(distributionBounds):
			fmt.Fprintf(&text, " [>%dms]:%d", low, n)
		default:
			fmt.Fprintf(&text, " [%d~%dms]:%d", low, distributionBounds[i], n)
			low = distributionBounds[i]
		}
	}
	return text.String()
}
