package table

import "slices"

// narrowest is the width to which a column may be cut at most, in characters.
const narrowest = 8

// fit returns widths that leave room for the gaps within a total; 0 sets no limit. Columns give
// way from the widest on, to a common width, and none below narrowest: if that is still
// too wide, lines are longer than the total.
func fit(natural []int, total int) []int {
	widths := slices.Clone(natural)
	if total <= 0 {
		return widths
	}
	room := total - gap*(len(widths)-1)
	for limit := slices.Max(append(widths, narrowest)); limit > narrowest && sum(widths) > room; {
		limit--
		widths = shrinkOne(widths, limit, room)
	}
	return widths
}

// shrinkOne cuts the columns wider than limit down to it, from the left, until the sum is small enough.
func shrinkOne(widths []int, limit, room int) []int {
	for i := range widths {
		if widths[i] > limit && sum(widths) > room {
			widths[i] = limit
		}
	}
	return widths
}

func sum(widths []int) int {
	total := 0
	for _, width := range widths {
		total += width
	}
	return total
}
