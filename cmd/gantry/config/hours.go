package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Hours reads hours of the day, 04 or 04;16;23, as deleteWhen has them. They come back in order, each once.
func Hours(text string) ([]int, error) {
	var hours []int
	for piece := range strings.SplitSeq(text, ";") {
		piece = strings.TrimSpace(piece)
		if piece == "" {
			continue
		}
		hour, err := strconv.Atoi(piece)
		if err != nil || hour < 0 || hour > 23 {
			return nil, fmt.Errorf("%q is not an hour between 0 and 23; write several with ; between them, such as 04;16", piece)
		}
		hours = append(hours, hour)
	}
	if len(hours) == 0 {
		return nil, errors.New("no hour is given: write one between 0 and 23, such as 04, or several with ; between them")
	}
	slices.Sort(hours)
	return slices.Compact(hours), nil
}
