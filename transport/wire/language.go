package wire

import "strings"

// Language is the implementation language a peer reports (enum LanguageCode).
// JSON headers carry its name, binary headers its number.
type Language uint8

// The languages of the protocol. Peers older than an entry read it as unknown,
// which does no harm.
const (
	LanguageJava   Language = 0
	LanguageCPP    Language = 1
	LanguageDotNet Language = 2
	LanguagePython Language = 3
	LanguageDelphi Language = 4
	LanguageErlang Language = 5
	LanguageRuby   Language = 6
	LanguageOther  Language = 7 // also stands for every language not listed here
	LanguageHTTP   Language = 8
	LanguageGo     Language = 9
	LanguagePHP    Language = 10
	LanguageOMS    Language = 11
	LanguageRust   Language = 12 // since 4.9.8 and 5.0
	LanguageNodeJS Language = 13 // only in the newest 5.x
)

// languageNames is indexed by Language.
var languageNames = [...]string{
	"JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY",
	"OTHER", "HTTP", "GO", "PHP", "OMS", "RUST", "NODE_JS",
}

// longestLanguageName bounds what ParseLanguage compares.
const longestLanguageName = len("NODE_JS")

// String returns the name used on the wire; "OTHER" for a number without a name.
func (l Language) String() string {
	if int(l) < len(languageNames) {
		return languageNames[l]
	}
	return languageNames[LanguageOther]
}

// ParseLanguage finds the language of a wire name. Case is ignored, as the Java
// peers do. An unknown name gives LanguageOther and false. It allocates nothing.
func ParseLanguage(name []byte) (Language, bool) {
	// The three names that nearly all traffic carries need no search.
	switch string(name) {
	case "JAVA":
		return LanguageJava, true
	case "GO":
		return LanguageGo, true
	case "CPP":
		return LanguageCPP, true
	}
	if len(name) > longestLanguageName {
		return LanguageOther, false
	}
	for i, known := range languageNames {
		if strings.EqualFold(known, string(name)) {
			return Language(i), true
		}
	}
	return LanguageOther, false
}

// languageOfNumber reads a number from the wire; unknown ones are LanguageOther, so
// that every decoded command can be encoded again in either encoding.
func languageOfNumber(number int32) Language {
	if number >= 0 && int(number) < len(languageNames) {
		return Language(number)
	}
	return LanguageOther
}
