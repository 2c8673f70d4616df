package wire_test

import (
	"strings"
	"testing"

	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func TestLanguagesHaveTheNamesAndNumbersOfTheProtocol(t *testing.T) {
	names := []string{"JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS", "RUST", "NODE_JS"}
	for number, name := range names {
		language, known := wire.ParseLanguage([]byte(name))
		require.True(t, known)
		require.Equal(t, wire.Language(number), language)
		require.Equal(t, name, language.String())
		small, known := wire.ParseLanguage([]byte(strings.ToLower(name)))
		require.True(t, known)
		require.Equal(t, language, small)
	}
	require.Equal(t, wire.Language(9), wire.LanguageGo)
	require.Equal(t, wire.Language(13), wire.LanguageNodeJS)
}

func TestLanguagesWithoutANameAreOther(t *testing.T) {
	for _, name := range []string{"", "COBOL", "GOO", strings.Repeat("GO", 1000)} {
		language, known := wire.ParseLanguage([]byte(name))
		require.False(t, known)
		require.Equal(t, wire.LanguageOther, language)
	}
	require.Equal(t, "OTHER", wire.Language(14).String())
	require.Equal(t, "OTHER", wire.Language(255).String())
}
