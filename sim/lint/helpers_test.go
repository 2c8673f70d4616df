package lint

import "testing"

func helpersIn(t *testing.T, source string) []Finding {
	t.Helper()
	return CheckHelpers(treeOf(t, "a/a_test.go", "package a\nimport \"testing\"\n"+source+"\n"))
}

func TestAHelperThatDoesNotCallHelperIsRejected(t *testing.T) {
	for _, source := range []string{
		`func open(t *testing.T) { t.Log() }`,
		`func open(name string, tb testing.TB) { tb.Log() }`,
		`func (w *world) open(b *testing.B) { b.Log() }`,
		`func open(t *testing.T) { func() { t.Helper() }() }`,
		`func open(t *testing.T, other *testing.T) { other.Helper() }`,
		`func Open(t *testing.T) { t.Log() }`,
	} {
		mustReject(t, helpersIn(t, source+"\nfunc TestIt(t *testing.T) { open(t); w.open(t) }"), "a/a_test.go:3", "Helper()")
	}
}

func TestHelpersAndTestsAreAccepted(t *testing.T) {
	for _, source := range []string{
		`func open(t *testing.T) { t.Helper(); t.Log() }`,
		`func open(tb testing.TB) int { x := 1; tb.Helper(); return x }`,
		`func TestIt(t *testing.T) { t.Run("x", func(t *testing.T) { t.Log() }) }`,
		`func testPart(t *testing.T) { t.Log() }`,
		`func FuzzIt(f *testing.F) {}`,
		`func ignored(_ *testing.T) { ignored(nil) }`,
		`func opens(t *testing.T) { t.Log() }; func TestIt(t *testing.T) { t.Run("x", opens) }`,
		`func opens(t *testing.T) { t.Log() }; func TestIt(t *testing.T) { t.Run("x", func(t *testing.T) { opens(t) }) }`,
	} {
		mustAccept(t, helpersIn(t, source))
	}
}
