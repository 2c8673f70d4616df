package broker

// ForgetTopic takes a topic out of the table in memory, and leaves its queues, as a removal that failed half-way does.
func (b *Broker) ForgetTopic(name string) { delete(b.topics.byName, name) }
