package table

import (
	"io"
	"strings"

	pretty "github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Table is rows of cells below the titles of their columns.
type Table struct {
	Columns []Column
	Rows    [][]string // each with a cell for every column
}

// Column is the head of a column.
type Column struct {
	Title string
	Right bool // cells stand at the right, as numbers do
}

// Columns makes columns of titles. Those that begin with ">" stand at the right.
func Columns(titles ...string) []Column {
	var columns []Column
	for _, title := range titles {
		name, right := strings.CutPrefix(title, ">")
		columns = append(columns, Column{Title: name, Right: right})
	}
	return columns
}

// Add appends a row. Missing cells are empty.
func (t *Table) Add(cells ...string) {
	row := make([]string, len(t.Columns))
	copy(row, cells)
	t.Rows = append(t.Rows, row)
}

// gap is the number of blanks between columns.
const gap = 2

// Write draws the table. Width is that of the terminal in characters; 0 sets no limit.
// What is too long is wrapped between words, where there are any.
func (t *Table) Write(out io.Writer, width int) error {
	writer := pretty.NewWriter()
	writer.SetStyle(style())
	writer.SetColumnConfigs(t.layout(width))
	var titles pretty.Row
	for _, column := range t.Columns {
		titles = append(titles, column.Title)
	}
	writer.AppendHeader(titles)
	for _, cells := range t.Rows {
		var row pretty.Row
		for _, cell := range cells {
			row = append(row, cell)
		}
		writer.AppendRow(row)
	}
	var lines strings.Builder
	for line := range strings.SplitSeq(writer.Render(), "\n") {
		lines.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(out, lines.String())
	return err
}

// layout gives each column its side and the width that fits.
func (t *Table) layout(width int) []pretty.ColumnConfig {
	widths := fit(t.natural(), width)
	var configs []pretty.ColumnConfig
	for i, column := range t.Columns {
		config := pretty.ColumnConfig{Number: i + 1, WidthMax: widths[i], WidthMaxEnforcer: text.WrapSoft}
		if column.Right {
			config.Align, config.AlignHeader = text.AlignRight, text.AlignRight
		}
		configs = append(configs, config)
	}
	return configs
}

// natural is the width of each column's widest cell.
func (t *Table) natural() []int {
	widths := make([]int, len(t.Columns))
	for i, column := range t.Columns {
		widths[i] = text.StringWidth(column.Title)
		for _, row := range t.Rows {
			widths[i] = max(widths[i], text.StringWidth(row[i]))
		}
	}
	return widths
}

// style has no lines, and keeps titles as they are written.
func style() pretty.Style {
	style := pretty.StyleDefault
	style.Options = pretty.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", strings.Repeat(" ", gap)
	style.Format.Header = text.FormatDefault
	return style
}
