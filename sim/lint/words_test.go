package lint

import "testing"

func TestLeftoversAreRejected(t *testing.T) {
	// Put together from pieces, so that this file is not found itself.
	for _, left := range []string{
		"TO" + "DO", "FIX" + "ME:", "XX" + "X", "HA" + "CK", "not " + "implemented", "un" + "implemented",
		"/work" + "/main", "/farm" + "/in", "This " + "session", "a sub" + "agent", "see issue" + " #12", "Issue" + " 7",
	} {
		findings := CheckWords([]Text{{"a/README.md", "first line\nthen " + left + " follows\n"}})
		mustReject(t, findings, "a/README.md:2", "is left behind")
	}
}

func TestOrdinaryWordsAreAccepted(t *testing.T) {
	mustAccept(t, CheckWords([]Text{
		{"a.go", "topic SCHEDULE_TOPIC_XXXX, /workers/main, a session, this issue, an issue of order, HACKER\n"},
		{"go.sum", "XX" + "X\n"},
	}))
}
