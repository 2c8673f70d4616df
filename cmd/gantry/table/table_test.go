package table

import (
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func drawn(t *testing.T, table *Table, width int) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, table.Write(&out, width))
	return out.String()
}

func sample() *Table {
	table := &Table{Columns: Columns("Topic", "Broker", ">Queues")}
	table.Add("orders", "broker-a", "8")
	table.Add("a-topic-with-a-rather-long-name", "broker-b", "16")
	table.Add("订单", "broker-c")
	return table
}

func TestRowsAreOneLineEachWithoutALimit(t *testing.T) {
	require.Equal(t, strings.Join([]string{
		"Topic                            Broker    Queues",
		"orders                           broker-a       8",
		"a-topic-with-a-rather-long-name  broker-b      16",
		"订单                             broker-c",
		"",
	}, "\n"), drawn(t, sample(), 0))
}

func TestTheWidestColumnIsWrappedOnANarrowTerminal(t *testing.T) {
	require.Equal(t, strings.Join([]string{
		"Topic             Broker    Queues",
		"orders            broker-a       8",
		"a-topic-with-a-r  broker-b      16",
		"ather-long-name",
		"订单              broker-c",
		"",
	}, "\n"), drawn(t, sample(), 34))
}

func TestATableWithoutRowsShowsItsTitles(t *testing.T) {
	require.Equal(t, "Topic  Queues\n", drawn(t, &Table{Columns: Columns("Topic", ">Queues")}, 80))
}

func TestNoLineIsWiderThanTheTerminalAndNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(1, 5).Draw(t, "columns")
		table := &Table{Columns: Columns(rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,8}`), columns, columns).Draw(t, "titles")...)}
		for range rapid.IntRange(0, 5).Draw(t, "rows") {
			table.Add(rapid.SliceOfN(rapid.StringMatching(`[0-9A-Z ]{0,30}`), columns, columns).Draw(t, "row")...)
		}
		width := rapid.IntRange(columns*(narrowest+gap), 200).Draw(t, "width")
		var out strings.Builder
		if err := table.Write(&out, width); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			if text.StringWidth(line) > width {
				t.Fatalf("%q is wider than %d:\n%s", line, width, out.String())
			}
		}
		if got, want := letters(out.String()), letters(join(table)); got != want {
			t.Fatalf("%d letters of %d are shown:\n%s", got, want, out.String())
		}
	})
}

func letters(s string) int { return len(strings.Join(strings.Fields(s), "")) }

func join(t *Table) string {
	var all strings.Builder
	for _, column := range t.Columns {
		all.WriteString(column.Title)
	}
	for _, row := range t.Rows {
		all.WriteString(strings.Join(row, ""))
	}
	return all.String()
}
