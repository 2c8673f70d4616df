package proto

import "cmp"

// CompareNames orders UTF-8 text by its UTF-16 code units, as Java does (String.compareTo). It differs from the order of bytes, and of code
// points, only where a character from U+E000 to U+FFFF meets one above, which comes first. Text that is not UTF-8 has its place too.
func CompareNames(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return cmp.Compare(rank(a[i]), rank(b[i]))
		}
	}
	return cmp.Compare(len(a), len(b))
}

// rank gives the place of a byte. Characters above U+FFFF, which begin with F0 or more, are surrogates D800 to DFFF in
// UTF-16. So they belong before what begins with EE and EF: U+E000 to U+FFFF. All other first bytes, and all that follow
// a common first byte, are in order already.
func rank(b byte) byte {
	const private, astral = 0xEE, 0xF0
	switch {
	case b < private:
		return b
	case b < astral:
		return b + (0x100 - astral)
	}
	return b - (astral - private)
}
