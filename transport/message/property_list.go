package message

import (
	"fmt"
	"slices"
)

// Property is a name and a value, neither empty.
type Property struct{ Name, Value string }

// Properties are the properties of a message in the order they were set. No name
// stands there twice if only Set adds to them. The encoded form is the same whenever
// the list is the same. The zero value is ready. Not for concurrent use.
type Properties []Property

// ParseProperties returns encoded properties as a list that owns its memory. Like every
// reader it passes over what is not a property, and the last value of a name counts.
func ParseProperties(encoded []byte) Properties {
	var list Properties
	for name, value := range EachProperty(encoded) {
		list.Set(string(name), string(value))
	}
	return list
}

// Get returns the value of a property, or "".
func (p Properties) Get(name string) string {
	value, _ := p.Lookup(name)
	return value
}

// Lookup returns the value of a property and whether it is there.
func (p Properties) Lookup(name string) (string, bool) {
	if i := p.index(name); i >= 0 {
		return p[i].Value, true
	}
	return "", false
}

// Set gives a property a value, in its old place if it had one. Setting "" removes it,
// because an empty value cannot be written.
func (p *Properties) Set(name, value string) {
	i := p.index(name)
	switch {
	case value == "":
		p.Delete(name)
	case i >= 0:
		(*p)[i].Value = value
	default:
		*p = append(*p, Property{name, value})
	}
}

// Delete removes a property if it is there.
func (p *Properties) Delete(name string) {
	if i := p.index(name); i >= 0 {
		*p = slices.Delete(*p, i, i+1)
	}
}

func (p Properties) index(name string) int {
	return slices.IndexFunc(p, func(q Property) bool { return q.Name == name })
}

// Clone returns a copy that can be edited without touching p.
func (p Properties) Clone() Properties { return slices.Clone(p) }

// EncodedLength returns the bytes Append will write.
func (p Properties) EncodedLength() int {
	length := 0
	for _, q := range p {
		length += len(q.Name) + len(q.Value) + 2
	}
	return length
}

// Append appends the encoded form, with the last separator, to dst. The errors
// are ErrProperty and ErrPropertiesLength; with either, dst is returned as it was.
func (p Properties) Append(dst []byte) ([]byte, error) {
	length := p.EncodedLength()
	if length > PropertiesLengthMax {
		return dst, fmt.Errorf("%w: %d bytes, at most %d; send fewer or shorter ones",
			ErrPropertiesLength, length, PropertiesLengthMax)
	}
	for _, q := range p {
		if err := CheckProperty(q.Name, q.Value); err != nil {
			return dst, err
		}
	}
	dst = slices.Grow(dst, length)
	for _, q := range p {
		dst = append(dst, q.Name...)
		dst = append(dst, nameEnd)
		dst = append(dst, q.Value...)
		dst = append(dst, valueEnd)
	}
	return dst, nil
}
