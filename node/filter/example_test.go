package filter_test

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/node/filter"
)

func ExampleCompile() {
	condition, err := filter.Compile(filter.TypeSQL92, "(size between 5 and 10) and region <> 'north'")
	if err != nil {
		fmt.Println(err)
		return
	}
	message := map[string]string{"size": "7", "region": "south"}
	matches := condition.Matches(func(name string) (string, bool) {
		value, ok := message[name]
		return value, ok
	})
	fmt.Println(condition, "→", matches)
	// Output: size BETWEEN 5 AND 10 AND region <> 'north' → true
}

func ExampleCompile_tags() {
	tags, _ := filter.Compile(filter.TypeTag, "TagA || TagB")
	fmt.Println(tags.Tags(), tags.TagHashes())
	fmt.Println(tags.MatchesTagHash(2598919)) // of TagA, from a consume queue
	// Output:
	// [TagA TagB] [2598919 2598920]
	// true
}

func ExampleCompile_error() {
	_, err := filter.Compile(filter.TypeSQL92, "region = 'south' AND 'a' > 'b'")
	fmt.Println(err)
	var failure *filter.CompileError
	fmt.Println(errors.As(err, &failure) && failure.Position == 22)
	// Output:
	// operator and operand do not fit: character 22: 'a' is a text, and > orders numbers: write = or <>, or a number without quotes
	// true
}

func ExampleFilter_Evaluate() {
	condition, _ := filter.Compile(filter.TypeSQL92, "size > 5.0")
	for _, size := range []string{"7", "large"} {
		fmt.Println(condition.Evaluate(func(string) (string, bool) { return size, true }))
	}
	fmt.Println(condition.Evaluate(nil)) // a message without properties
	// Output:
	// true <nil>
	// unknown property value cannot be compared: character 6: "large" is not a number
	// unknown <nil>
}
