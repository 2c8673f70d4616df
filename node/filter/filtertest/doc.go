// Package filtertest is a second, naive telling of what SQL92 and tag expressions mean. It was written from the
// description of the protocol without looking at package filter, shares no code with it and
// is as slow and as literal as it likes. Tests compare the two, and the simulator asks it which messages a
// consumer should have received.
//
// # Data path
//
//	Generate        draws an expression as a Tree, also such that brokers refuse
//	Tree.Text       writes it, in one of many ways
//	Tree.Refused    says why a broker would not compile it
//	Message         draws properties
//	Tree.Evaluate   says what it means for a message
//	Tree.Matches    says whether the broker delivers it
//	MatchesTags     does it for TAG
//
// The caller brings the source of chance, as a function: a test gives its generator, the simulator
// its seed. Nothing here waits, is durable or is remembered; a Tree is changed by nobody after it was made.
//
// # Files
//
//	tree.go      Tree and the operators
//	generate.go  Generate, Message
//	text.go      Text
//	refused.go   Refused
//	evaluate.go  Evaluate, Matches
//	convert.go   texts as numbers, as Java reads them
//	tags.go      MatchesTags
package filtertest
