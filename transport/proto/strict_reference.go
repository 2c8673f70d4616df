package proto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// resolveReferences replaces every {"$ref":"$.path"} of a strict text by a copy of what
// the path points to. fastjson writes such an object where the same Java object occurs a
// second time in a document.
//
// Only paths from the root ($.name, $.name[3], \ before a special character) are
// followed, and only one step: a reference inside the copied part, a path that leads
// nowhere, and any other kind of path stay as they are, and read as an empty object.
// The result is at most limit bytes long, else ErrJSON: references to large parts could
// make a small body huge.
func resolveReferences(text []byte, limit int) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // keeps the texts of numbers
	var root any
	if err := decoder.Decode(&root); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrJSON, err)
	}
	r := resolver{root: root, limit: limit}
	r.write(root, true)
	if len(r.to.text) > limit {
		return nil, fmt.Errorf("%w: its references make it longer than %d bytes", ErrJSON, limit)
	}
	return r.to.text, nil
}

// resolver writes a tree out again. Its depth is that of the text, which Strict has limited,
// twice at most.
type resolver struct {
	root  any
	limit int
	to    writer
}

func (r *resolver) write(node any, follow bool) {
	if len(r.to.text) > r.limit {
		return
	}
	switch v := node.(type) {
	case map[string]any:
		if target, ok := r.target(v); ok && follow {
			r.write(target, false)
			return
		}
		r.to.open('{')
		for _, key := range slices.Sorted(maps.Keys(v)) {
			r.to.key(key)
			r.write(v[key], follow)
		}
		r.to.close('}')
	case []any:
		r.to.open('[')
		for _, element := range v {
			r.write(element, follow)
		}
		r.to.close(']')
	default:
		r.scalar(node)
	}
}

func (r *resolver) scalar(node any) {
	switch v := node.(type) {
	case string:
		r.to.string(v)
	case json.Number:
		r.to.raw(v.String())
	case bool:
		r.to.boolean(v)
	default:
		r.to.raw("null")
	}
}

// target finds what an object points to, if it is a reference.
func (r *resolver) target(object map[string]any) (any, bool) {
	path, ok := object["$ref"].(string)
	if !ok || len(object) != 1 || !strings.HasPrefix(path, "$") {
		return nil, false
	}
	node, path := r.root, path[1:]
	if path == "" {
		return nil, false // the root inside itself has no end
	}
	for path != "" {
		var name string
		if name, path, ok = nextStep(path); !ok {
			return nil, false
		}
		if node, ok = child(node, name); !ok {
			return nil, false
		}
	}
	return node, true
}

// nextStep splits .name or [3] off a path.
func nextStep(path string) (name, rest string, ok bool) {
	if path[0] == '[' {
		name, rest, ok = strings.Cut(path[1:], "]")
		return name, rest, ok
	}
	if path[0] != '.' {
		return "", "", false
	}
	var b strings.Builder
	i := 1
	for ; i < len(path) && path[i] != '.' && path[i] != '['; i++ {
		if path[i] == '\\' && i+1 < len(path) {
			i++
		}
		b.WriteByte(path[i])
	}
	return b.String(), path[i:], true
}

func child(node any, name string) (any, bool) {
	switch v := node.(type) {
	case map[string]any:
		value, ok := v[name]
		return value, ok
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v) {
			return v[i], true
		}
	}
	return nil, false
}
