package replica

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyTheNewestOfSeveralReportsCounts(t *testing.T) {
	p := AppendClassicReport(AppendClassicReport(nil, 100), 200)
	require.Equal(t, []byte{0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 200}, p)
	end, n, err := ClassicReport(p[:15])
	require.NoError(t, err)
	require.EqualValues(t, 100, end)
	require.Equal(t, 8, n)
	end, n, err = ClassicReport(p)
	require.NoError(t, err)
	require.EqualValues(t, 200, end)
	require.Equal(t, 16, n)
	_, n, err = ClassicReport(p[:7])
	require.NoError(t, err)
	require.Zero(t, n)
	_, _, err = ClassicReport(Magic[:])
	require.ErrorIs(t, err, ErrClassic, "no slave of Apache's reports a negative end")
}

func TestTheHeadOfBytesIsReadAsItIsWritten(t *testing.T) {
	p := AppendClassicHead(nil, 0x10, 3)
	require.Equal(t, []byte{0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 3}, p)
	at, size, err := ClassicHead(p)
	require.NoError(t, err)
	require.EqualValues(t, 0x10, at)
	require.Equal(t, 3, size)
	for _, bad := range [][]byte{AppendClassicHead(nil, -1, 3), AppendClassicHead(nil, 1, -3), AppendClassicHead(nil, 1, ClassicBodyMax+1)} {
		_, _, err := ClassicHead(bad)
		require.ErrorIs(t, err, ErrClassic)
	}
}

func TestASlaveComparesTheEndOfItsLogWithWhatTheMasterHasThere(t *testing.T) {
	f := NewClassicFollower([]byte("end"), 103)
	require.EqualValues(t, 100, f.Ask())
	fresh, begins, err := f.Bytes(100, []byte("e"))
	require.NoError(t, err)
	require.Empty(t, fresh)
	require.False(t, f.Verified())
	fresh, begins, err = f.Bytes(101, []byte("nd and more"))
	require.NoError(t, err)
	require.Equal(t, " and more", string(fresh))
	require.False(t, begins)
	require.True(t, f.Verified())
	_, _, err = f.Bytes(111, []byte("gap"))
	require.ErrorIs(t, err, ErrStream)

	_, _, err = NewClassicFollower([]byte("end"), 103).Bytes(100, []byte("enough"))
	require.ErrorIs(t, err, ErrDiverged)
}

func TestASlaveWithoutALogBeginsWhereTheMasterDoes(t *testing.T) {
	f := NewClassicFollower(nil, 0)
	require.Zero(t, f.Ask())
	fresh, begins, err := f.Bytes(4096, nil)
	require.NoError(t, err)
	require.Empty(t, fresh)
	require.False(t, begins, "a sign of life begins nothing")
	fresh, begins, err = f.Bytes(4096, []byte("x"))
	require.NoError(t, err)
	require.Equal(t, "x", string(fresh))
	require.True(t, begins)
	_, begins, err = f.Bytes(4097, []byte("y"))
	require.NoError(t, err)
	require.False(t, begins)
}

func TestCopiesOnOneMachineCountAsOne(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	q := NewQuorum(3, 0)
	q.Own(100)
	q.Report(a, 1, 100)
	q.Report(a, 2, 100)
	require.EqualValues(t, 0, q.Confirmed())
	q.Report(b, 3, 60)
	require.EqualValues(t, 60, q.Confirmed())
	require.Equal(t, 2, q.InSync(100, 40), "the copy that is 40 bytes behind is not in sync")
	require.Equal(t, 3, q.InSync(100, 41))
	// The newer connection tells what the process has that runs.
	q.Report(a, 4, 50)
	q.Report(b, 3, 80)
	require.EqualValues(t, 60, q.Confirmed(), "what was confirmed stays so")
	q.Leave(a, 4)
	require.EqualValues(t, 60, q.Confirmed())
	q.Report(b, 3, 90)
	require.EqualValues(t, 90, q.Confirmed())
	q.Leave(a, 1)
	q.Leave(a, 2)
	q.Own(200)
	q.Report(b, 3, 200)
	require.EqualValues(t, 90, q.Confirmed())
	q.Need(2)
	require.EqualValues(t, 200, q.Confirmed())
}

func TestOneCopyIsTheMastersOwn(t *testing.T) {
	q := NewQuorum(1, 10)
	require.EqualValues(t, 10, q.Confirmed())
	q.Own(50)
	require.EqualValues(t, 50, q.Confirmed())
}
