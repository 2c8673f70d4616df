package wire

// decodeJSON reads a header that is one JSON object. Keys may come in any order,
// unknown ones are skipped, and of a key that appears twice the last one counts.
// White space around the object is allowed: the C++ client ends it with a newline.
func decodeJSON(text []byte, fieldLimit int, cmd *Command) error {
	scan := jsonScanner{text: text}
	scan.expect('{')
	for first := true; scan.more(first, '}'); first = false {
		decodeMember(&scan, fieldLimit, cmd)
	}
	scan.finish()
	return scan.err
}

// decodeMember reads one member of the header object. A member that is null leaves the
// default in place, as if it were missing.
func decodeMember(scan *jsonScanner, fieldLimit int, cmd *Command) {
	key := scan.quoted()
	scan.expect(':')
	switch string(key) {
	case "code":
		scan.number("code", &cmd.Code)
	case "flag":
		scan.number("flag", &cmd.Flags)
	case "opaque":
		scan.number("opaque", &cmd.Opaque)
	case "version":
		scan.number("version", &cmd.Version)
	case "language":
		decodeLanguage(scan, cmd)
	case "remark":
		if text, present := scan.scalar(); present {
			cmd.Remark = string(text)
		}
	case "extFields":
		decodeFields(scan, fieldLimit, cmd)
	default:
		scan.skip(0)
	}
}

// decodeLanguage reads a name, or a number as Java's JSON library allows for enums. A
// language nobody has heard of is no reason to refuse a request.
func decodeLanguage(scan *jsonScanner, cmd *Command) {
	text, present := scan.scalar()
	if !present {
		return
	}
	if number, ok := parseInt32(text); ok {
		cmd.Language = languageOfNumber(number)
		return
	}
	cmd.Language, _ = ParseLanguage(text)
}

// decodeFields reads the object of custom fields. Values of any type are kept as text:
// a string as what it says, all else exactly as written, because clients that write
// numbers compute the request's signature over that text.
func decodeFields(scan *jsonScanner, limit int, cmd *Command) {
	if scan.peek() == 'n' {
		scan.skip(0)
		return
	}
	fields := cmd.Fields[:0]
	scan.expect('{')
	for first := true; scan.more(first, '}'); first = false {
		key := scan.quoted()
		scan.expect(':')
		value, present := scan.scalar()
		if !present {
			continue
		}
		if len(fields) == limit {
			scan.stop(tooManyFields(limit))
			return
		}
		fields = append(fields, Field{Key: key, Value: value})
	}
	cmd.Fields = fields
}

// number reads an integer of 32 bits, bare or as a string, into destination. null
// leaves it as it is.
func (s *jsonScanner) number(name string, destination *int32) {
	text, present := s.scalar()
	if !present {
		return
	}
	value, ok := parseInt32(text)
	if !ok {
		s.fail(name + " must be an integer of 32 bits")
		return
	}
	*destination = value
}

// parseInt32 reads decimal digits with an optional minus sign, and nothing else.
func parseInt32(text []byte) (int32, bool) {
	digits := text
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 {
		return 0, false
	}
	value := int64(0)
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		value = value*10 + int64(c-'0')
		if value > 1<<31 {
			return 0, false
		}
	}
	if len(digits) != len(text) {
		value = -value
	}
	return int32(value), value == int64(int32(value))
}
