package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// delayMax bounds one delay level.
const delayMax = 365 * 24 * time.Hour

// DelayLevels reads the times of delay levels, such as "1s 5s 10m 2h 1d", the first of which is level 1. The error names the one that is
// wrong.
func DelayLevels(text string) ([]time.Duration, error) {
	var levels []time.Duration
	for _, word := range strings.Fields(text) {
		unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[word[len(word)-1]]
		n, err := strconv.ParseInt(word[:len(word)-1], 10, 32)
		length := time.Duration(n) * unit
		if unit == 0 || err != nil || n < 1 || length > delayMax {
			return nil, fmt.Errorf("%q is no time of a delay level: want a whole number from 1 on with s, m, h or d, at most 365d", word)
		}
		levels = append(levels, length)
	}
	if len(levels) == 0 {
		return nil, fmt.Errorf("there is no delay level in %q: want such as 1s 5s 10s", text)
	}
	return levels, nil
}
