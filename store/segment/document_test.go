package segment_test

import (
	"errors"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store/segment"
	"github.com/stretchr/testify/require"
)

const documentPath = "list.json"

// put writes a file as it is.
func (w *world) put(t require.TestingT, content []byte) {
	w.do(t, func(disk env.Disk) error {
		_, err := segment.ReplaceFile(disk, documentPath, content)
		return err
	})
}

// readList reads a document of the name "list".
func (w *world) readList(t require.TestingT, sizeMax int64) (list []string, err error) {
	w.do(t, func(disk env.Disk) error {
		err = segment.ReadDocument(disk, documentPath, "list", sizeMax, &list)
		return nil
	})
	return list, err
}

func TestADocumentIsReadAsItWasWritten(t *testing.T) {
	w := newWorld(1)
	defer w.kernel.Close()
	list, err := w.readList(t, 1000)
	require.NoError(t, err, "there is no file")
	require.Nil(t, list)
	w.do(t, func(disk env.Disk) error {
		renamed, err := segment.WriteDocument(disk, documentPath, "list", []string{"a<b", "ü"})
		require.True(t, renamed)
		return err
	})
	content, _ := w.machine.Disk().Content(documentPath)
	require.Equal(t, `{"list":["a\u003cb","ü"],"checksum":909356785}`, string(content))
	list, err = w.readList(t, 1000)
	require.NoError(t, err)
	require.Equal(t, []string{"a<b", "ü"}, list)
	_, err = w.readList(t, int64(len(content)-1))
	require.ErrorIs(t, err, segment.ErrDocument, "more than may be read")
}

func TestADocumentThatIsNotWholeIsNotBelieved(t *testing.T) {
	w := newWorld(1)
	defer w.kernel.Close()
	for _, text := range []string{
		``, `{`, `7`, `{"list":["a"]}`, `{"list":["a"],"checksum":1}`, `{"checksum":0}`, `{"other":["a"],"checksum":0}`, `{"list":["a"],"checksum":"x"}`,
		`{"list":7,"checksum":1790921346}`,
	} {
		w.put(t, []byte(text))
		list, err := w.readList(t, 1000)
		require.ErrorIs(t, err, segment.ErrDocument, text)
		require.Empty(t, list)
	}
}

func TestContentThatCannotBeEncodedTouchesNoFile(t *testing.T) {
	w := newWorld(1)
	defer w.kernel.Close()
	w.do(t, func(disk env.Disk) error {
		renamed, err := segment.WriteDocument(disk, documentPath, "list", func() {})
		require.False(t, renamed)
		require.ErrorContains(t, err, documentPath)
		return nil
	})
	require.Empty(t, w.machine.Disk().Paths())
}

// Whatever a file has, it is read, or it is damaged.
func FuzzReadDocument(f *testing.F) {
	f.Add([]byte(`{"list":["a"],"checksum":2024252428}`))
	f.Add([]byte(`{"list":null,"checksum":1`))
	f.Fuzz(func(t *testing.T, content []byte) {
		w := newWorld(1)
		defer w.kernel.Close()
		w.put(t, content)
		list, err := w.readList(t, 1<<20)
		if err != nil {
			require.True(t, errors.Is(err, segment.ErrDocument), "%v", err)
			return
		}
		w.do(t, func(disk env.Disk) error {
			_, err := segment.WriteDocument(disk, documentPath, "list", list)
			return err
		})
		again, err := w.readList(t, 1<<20)
		require.NoError(t, err)
		require.Equal(t, list, again)
	})
}
