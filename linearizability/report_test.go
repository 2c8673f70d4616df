package linearizability

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAReportIsAPageWithTheOperations(t *testing.T) {
	history := History{
		sent(17, 1, 2, 'a', 0), read(42, 3, 4, 0, "", 0), committed(1, 1, 2, 5), locked(1, 1, 2, true),
		sent(17, 500, 501, 'z', 1), // behind the answer that breaks it
	}
	var page bytes.Buffer
	marks := []Mark{{Tag: "broker-a", Start: 2, End: 3, Text: "link cut"}, {Tag: "broker-a", Start: 1000, End: 1001, Text: "far away"}}
	require.NoError(t, WriteReport(&page, history, Options{}, q, KindSend, marks))
	require.Contains(t, page.String(), "<html")
	require.Contains(t, page.String(), "send 61 → offset 0")
	require.Contains(t, page.String(), "read at 0 → 0 messages, end 0")
	require.Contains(t, page.String(), "link cut")
	require.NotContains(t, page.String(), "far away")
	require.NotContains(t, page.String(), "send 7a")
	require.NotContains(t, page.String(), "commit")

	for kind, want := range map[Kind]string{KindFetchOffset: "commit offset 5", KindLock: "lock → granted"} {
		page.Reset()
		require.NoError(t, WriteReport(&page, history, Options{}, q, kind, nil))
		require.Contains(t, page.String(), want)
	}
}

func TestAReportOfALegalHistoryShowsAllOfIt(t *testing.T) {
	var page bytes.Buffer
	for _, good := range goodLogs {
		if len(good.history) == 0 {
			continue
		}
		page.Reset()
		require.NoError(t, WriteReport(&page, good.history, withLog(good.log), q, KindSend, nil), good.name)
	}
}

func TestAReportOfABadHistoryCanAlwaysBeDrawn(t *testing.T) {
	var page bytes.Buffer
	for _, bad := range badLogs {
		if len(bad.history) == 0 || bad.rule == RuleNonsense {
			continue
		}
		page.Reset()
		require.NoError(t, WriteReport(&page, bad.history, withLog(bad.log), q, KindSend, nil), bad.name)
		require.NotZero(t, page.Len())
	}
	page.Reset()
	require.NoError(t, WriteReport(&page, hard(), Options{SearchLimit: 1000}, q, KindSend, nil), "though nobody knows the verdict")
}

func TestAReportNeedsSomethingToDraw(t *testing.T) {
	require.ErrorContains(t, WriteReport(nil, History{}, Options{}, q, KindSend, nil), `no operations of kind send on "orders/0"`)
	require.ErrorContains(t, WriteReport(nil, History{sent(1, 2, 1, 'a', 0)}, Options{}, q, KindSend, nil), "returned before it was called")
	require.ErrorContains(t, WriteReport(full{}, History{sent(1, 1, 2, 'a', 0)}, Options{}, q, KindSend, nil), "write the report: no room")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no room") }
