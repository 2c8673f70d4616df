package filtertest

import "strings"

// MatchesTags reports whether a consumer that subscribed to a TAG expression is given a message with a
// tag, or with none if hasTag is false. Tags are compared as they are, as clients do, not by their hash.
func MatchesTags(expression, tag string, hasTag bool) bool {
	if expression == "" || expression == "*" {
		return true
	}
	for _, part := range strings.Split(expression, "||") {
		for part != "" && part[0] <= ' ' {
			part = part[1:]
		}
		for part != "" && part[len(part)-1] <= ' ' {
			part = part[:len(part)-1]
		}
		if part != "" && hasTag && part == tag {
			return true
		}
	}
	return false
}
