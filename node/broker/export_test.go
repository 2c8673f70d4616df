package broker

// ForgetTopic takes a topic out of the table in memory, and leaves its queues, as a removal that failed half-way does.
func (b *Broker) ForgetTopic(name string) { delete(b.topics.byName, name) }

// Conflicts are the members that subscribe differently than others, as text.
func (b *Broker) Conflicts(group string) (texts []string) {
	for _, c := range b.clients.conflicts(group) {
		texts = append(texts, c.String())
	}
	return texts
}

// KnownRoutes is the number of topics whose routes the broker keeps.
func (b *Broker) KnownRoutes() int { return len(b.routes.byTopic) }

// WalkLags is the part of Measure that grows with the number of queues.
func (b *Broker) WalkLags() {
	all, _ := b.lags(b.options.Measuring)
	b.readAges(&all, b.options.Measuring)
}
