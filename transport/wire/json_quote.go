package wire

import "unicode/utf8"

// appendQuoted appends a string of JSON, with its quotes. Text beyond ASCII is written
// as it is. A byte that is no UTF-8 becomes U+FFFD, because JSON is UTF-8 and a strict
// reader would refuse the whole header for the sake of one bad value.
func appendQuoted(out []byte, value string) []byte {
	out = append(out, '"')
	done := 0 // bytes of value that are written
	for at := 0; at < len(value); {
		c := value[at]
		if !needsCare[c] {
			at++
			continue
		}
		out = append(out, value[done:at]...)
		if c < utf8.RuneSelf {
			out = appendEscape(out, c)
			at++
		} else {
			r, size := utf8.DecodeRuneInString(value[at:])
			out = utf8.AppendRune(out, r)
			at += size
		}
		done = at
	}
	out = append(out, value[done:]...)
	return append(out, '"')
}

// needsCare marks the bytes that cannot simply be copied into a string of JSON.
var needsCare = func() (marks [256]bool) {
	for c := range marks {
		marks[c] = c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf
	}
	return marks
}()

// appendEscape writes one ASCII character that must not appear bare.
func appendEscape(out []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(out, '\\', c)
	case '\n':
		return append(out, `\n`...)
	case '\r':
		return append(out, `\r`...)
	case '\t':
		return append(out, `\t`...)
	}
	return append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
