// Package promtest reads what people write for Prometheus, so that tests can compare it with what a process really tells: expressions in its
// query language, and scrapes in its text format. Only tests import it.
//
//	e, err := promtest.Parse(`sum by (topic) (rate(rocketmq_messages_in_total{is_system="false"}[5m])) > 10`)
//	e.Selectors   // rocketmq_messages_in_total with the label is_system
//	e.Labels      // topic, which the result is grouped by
//
// # What is checked
//
// The grammar, with the precedence of operators; the names of functions, how many arguments they take and of which type; that ranges stand
// where ranges are wanted; durations, regular expressions and strings. It takes what the query language takes in alerts and boards;
// what is not known here, such as native histograms, is refused, so a mistake cannot hide behind it.
//
// The package keeps no state and waits for nothing.
//
// # Files
//
//	doc.go        this
//	token.go      an expression as words
//	parse.go      words as an expression: operators, selectors, aggregations
//	functions.go  the functions, and the types of what they take and return
//	scrape.go     what a process tells, as series
package promtest
