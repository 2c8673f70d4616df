package planted

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Overlay returns the argument of go build -overlay: which file stands for which. Read returns a source file, write
// keeps an edited one and returns its path; both are given paths below root.
func Overlay(b Bug, root string, read func(path string) (string, error), write func(path, content string) (string, error)) ([]byte, error) {
	edited := map[string]string{}
	for _, e := range b.Edits {
		content, ok := edited[e.File]
		if !ok {
			var err error
			if content, err = read(e.File); err != nil {
				return nil, err
			}
		}
		if n := strings.Count(content, e.Find); n != 1 {
			return nil, fmt.Errorf("planted bug %q: %s has %d places that read %q, want 1: adapt the bug to the code", b.Name, e.File, n, e.Find)
		}
		edited[e.File] = strings.Replace(content, e.Find, e.Replace, 1)
	}
	replace := map[string]string{}
	for _, e := range b.Edits {
		path, err := write(e.File, edited[e.File])
		if err != nil {
			return nil, err
		}
		replace[root+"/"+e.File] = path
	}
	return json.Marshal(map[string]any{"Replace": replace})
}
