package replica

import (
	"testing"

	"github.com/gantrymq/gantry/transport/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func eras(list ...Era) Epochs { return Epochs{list} }

func TestTheFileOfEpochsHasTheLinesThatApachesBrokersWrite(t *testing.T) {
	e := eras(Era{1, 0}, Era{3, 1000})
	require.Equal(t, "2\n1377471367\n1-0\n3-1000\n", string(e.EncodeFile()))
	read, err := DecodeEpochFile(e.EncodeFile())
	require.NoError(t, err)
	require.Equal(t, e, read)
	// Without a checksum it is believed, as Apache's brokers do.
	read, err = DecodeEpochFile([]byte("2\n0\n1-0\r\n3-1000\r\n"))
	require.NoError(t, err)
	require.Equal(t, e, read)
}

func TestAFileOfEpochsThatCannotBeIsRefused(t *testing.T) {
	for _, content := range []string{
		"", "1", "1\n0", "1\n0\n", "2\n0\n1-0\n", "-1\n0\n", "1\nx\n1-0\n", "1\n7\n1-0\n", "1\n0\n1\n", "1\n0\nx-0\n", "1\n0\n1-x\n",
		"1\n0\n0-5\n", "1\n0\n1--5\n", "2\n0\n2-0\n1-5\n", "2\n0\n1-5\n2-5\n", "99999999\n0\n",
	} {
		_, err := DecodeEpochFile([]byte(content))
		require.ErrorIs(t, err, ErrEpochFile, "%q", content)
	}
}

func FuzzEpochFileIsReadAsItIsWritten(f *testing.F) {
	f.Add([]byte("2\n0\n1-0\n3-1000\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		e, err := DecodeEpochFile(content)
		if err != nil {
			require.ErrorIs(t, err, ErrEpochFile)
			return
		}
		again, err := DecodeEpochFile(e.EncodeFile())
		require.NoError(t, err)
		require.Equal(t, e, again)
	})
}

func TestAMasterThatHasWrittenNothingLeavesNoEra(t *testing.T) {
	e := eras(Era{1, 0}, Era{2, 500})
	require.NoError(t, e.Begin(3, 500))
	require.Equal(t, eras(Era{1, 0}, Era{3, 500}), e)
	require.ErrorIs(t, e.Begin(3, 600), ErrEpoch)
	require.ErrorIs(t, e.Begin(4, 400), ErrEpoch, "the log does not shrink without a cut")
}

func TestACutForgetsErasThatHaveNoBytesLeft(t *testing.T) {
	e := eras(Era{1, 0}, Era{2, 500}, Era{3, 700})
	e.Cut(700)
	require.Equal(t, Epoch(2), e.Last())
	e.Cut(501)
	require.Equal(t, Epoch(2), e.Last())
	e.Cut(500)
	require.Equal(t, Epoch(1), e.Last())
}

func TestErasOfBytesThatACrashHasTakenAreForgotten(t *testing.T) {
	e := eras(Era{1, 0}, Era{2, 500}, Era{3, 700})
	e.FitTo(700)
	require.Equal(t, Epoch(3), e.Last())
	e.FitTo(600)
	require.Equal(t, Epoch(2), e.Last())
}

func TestErasOfRemovedFilesAreForgottenButTheLastOne(t *testing.T) {
	e := eras(Era{1, 0}, Era{2, 500}, Era{3, 700})
	require.False(t, e.DropBefore(499))
	require.True(t, e.DropBefore(500))
	require.Equal(t, eras(Era{2, 500}, Era{3, 700}), e)
	require.True(t, e.DropBefore(5000))
	require.Equal(t, eras(Era{3, 700}), e)
}

func TestEachByteBelongsToOneEra(t *testing.T) {
	e := eras(Era{1, 100}, Era{2, 500})
	for _, c := range []struct {
		at, until message.LogOffset
		era       Era
	}{{0, 100, Era{}}, {99, 100, Era{}}, {100, 500, Era{1, 100}}, {499, 500, Era{1, 100}}, {500, 900, Era{2, 500}}} {
		era, until := e.At(c.at, 900)
		require.Equal(t, c.era, era)
		require.Equal(t, c.until, until)
	}
}

// Two copies of one history part at most once. Where they do is what their epochs say.
func TestTheCommonPointIsWhereTwoHistoriesPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type line struct {
			epochs Epochs
			log    []byte
		}
		write := func(l *line, epoch Epoch, n int) {
			require.NoError(t, l.epochs.Begin(epoch, message.LogOffset(len(l.log))))
			for range n {
				l.log = append(l.log, byte(epoch))
			}
		}
		length := rapid.IntRange(0, 3)
		one, epoch := &line{}, Epoch(0)
		for range rapid.IntRange(0, 3).Draw(t, "common eras") {
			epoch++
			write(one, epoch, length.Draw(t, "bytes"))
		}
		other := &line{Epochs{one.epochs.Eras()}, append([]byte(nil), one.log...)}
		cut := rapid.IntRange(0, len(one.log)).Draw(t, "cut")
		other.log = other.log[:cut]
		other.epochs.FitTo(message.LogOffset(cut))
		for range rapid.IntRange(0, 4).Draw(t, "own eras") {
			epoch++
			write(rapid.SampledFrom([]*line{one, other}).Draw(t, "who"), epoch, length.Draw(t, "bytes"))
		}
		same := 0
		for same < min(len(one.log), len(other.log)) && one.log[same] == other.log[same] {
			same++
		}
		point, _, err := CommonPoint(&one.epochs, message.LogOffset(len(one.log)), &other.epochs, message.LogOffset(len(other.log)))
		require.NoError(t, err)
		require.EqualValues(t, same, point)
	})
}
