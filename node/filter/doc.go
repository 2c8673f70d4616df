// Package filter compiles the filter expressions of subscriptions and tells which messages they match (module filter of
// the reference, with its class ExpressionType; FilterAPI for tags).
//
// A Filter never changes after Compile, no call waits, nothing is durable and
// nothing is remembered between calls: whoever wants compiled expressions kept keeps them.
//
// # Tags
//
// "A || B" matches messages whose one tag is A or B, "*" and the empty expression all. Dispatch stores a hash of the
// tag; MatchesTagHash looks at that alone, and lets through other tags with the same hash. Matches compares the tag.
//
// # SQL92
//
//	condition  = all { OR all }
//	all        = equality { AND equality }
//	equality   = comparison { ( "=" | "<>" | "!=" ) comparison | IS [ NOT ] NULL }
//	comparison = unary { ( "<" | "<=" | ">" | ">=" ) unary
//	             | [ NOT ] BETWEEN unary AND unary
//	             | [ NOT ] IN "(" text { "," text } ")"
//	             | [ NOT ] ( CONTAINS | STARTSWITH | ENDSWITH ) text }
//	unary      = ( "+" | "-" | NOT ) unary | "(" condition ")" | property | constant
//
// Constants are texts in single quotes, where a quote inside is written twice, integers of up to 64 bits, doubles, TRUE, FALSE and
// NULL. Names of properties have ASCII letters, digits, _ and $, and their case matters. "--" begins a comment up
// to the end of the line, "/*" one up to "*/".
//
// Some of what it means surprises those who know SQL, and is as in the reference all the same:
//
//   - NOT binds tighter than comparisons: write NOT (a = 1).
//   - Every property is a text. It is read as what it is compared with: a > 5 cannot be evaluated for "5.5", a > 5.0 can.
//   - A message for which something cannot be evaluated is not matched, unless an operand further left had decided.
//   - An absent property makes = and the order unknown, on the right of = false; two absent ones are equal.
//   - CONTAINS and its like are false for an absent property and for an empty text, with NOT too.
//   - A property by itself is never true.
//   - The double 0.0 is refused; the integer 0 is fine.
//
// What differs from the reference: text behind the end of an expression is an error, not ignored; "!=" means "<>"; 0L
// is zero; a "--" comment may end with the text; two minus signs need a blank between them; integers in
// properties have ASCII digits only; expressions have limits; an expression of TAG without a tag is an error.
//
// # The data path
//
//	Compile                    once for a subscription
//	  compileTags              tags.go
//	  parse → scanner.next     tokens to nodes; check.go refuses operands that do not fit
//	Filter.MatchesTagHash      for each queue unit
//	Filter.Matches             for each record
//	  node.evaluate → compare  three-valued, without allocations
//	Filter.String → node.write the canonical form
//
// # Why the parser is written by hand
//
// The grammar has six levels and one token of look-ahead, which is two functions here. Parser libraries were weighed: participle
// builds its tree by reflection and allocates for each level of the grammar, and cannot bound the depth of what a stranger
// sends; code from goyacc says "syntax error" where this says which character and what to write.
// Both would leave the checks, the evaluation and the canonical form, which are the larger part, as they are.
//
// # Files
//
//	filter.go    Filter, Compile, Lookup, the limits
//	tags.go      TAG expressions
//	text_set.go  sets of texts
//	token.go     tokens
//	parse.go     the grammar
//	check.go     operands that are refused
//	node.go      operators and nodes
//	evaluate.go  what a node says about a message
//	compare.go   comparing values of different kinds
//	value.go     values, reading texts as other kinds
//	number.go    texts as numbers, as Java reads them
//	text.go      the canonical form
//	truth.go     Truth
//	errors.go    the errors
package filter
