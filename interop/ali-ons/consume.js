'use strict';

// Consumes a topic as a member of a group and prints each message. The end of standard input makes it
// commit, leave the group and end.

const { Consumer } = require('ali-ons');
const { clientOptions, complain, lines, run, say } = require('./peer');

// Queues are shared out anew, and offsets committed, this often: the tests do not wait for
// the package's 10 s and 5 s.
const REBALANCE_MILLIS = 500;
const COMMIT_MILLIS = 500;

function describe(message, queue) {
  say({
    topic: message.topic,
    body: (message.body || Buffer.alloc(0)).toString('base64'),
    tag: message.tags || '',
    keys: message.keys ? message.keys.split(' ') : [],
    properties: message.properties,
    id: message.msgId,
    broker: queue.brokerName,
    queue: message.queueId,
    offset: message.queueOffset,
    flags: message.flag,
    redeliveries: message.reconsumeTimes,
  });
}

run(async settings => {
  const consumer = new Consumer({
    ...clientOptions(settings),
    consumerGroup: settings.group,
    consumeFromWhere: settings.fromFirst ? 'CONSUME_FROM_FIRST_OFFSET' : 'CONSUME_FROM_LAST_OFFSET',
    isBroadcast: settings.broadcast === true,
    rebalanceInterval: REBALANCE_MILLIS,
    persistConsumerOffsetInterval: COMMIT_MILLIS,
    pullTimeDelayMillsWhenException: 200,
  });
  consumer.on('error', complain);
  consumer.on(`topic_${settings.topic}_queue_changed`, () => {
    const queues = [ ...consumer.processQueueTable.values() ].map(entry => entry.messageQueue)
      .filter(queue => queue.topic === settings.topic).map(queue => queue.queueId).sort((a, b) => a - b);
    say({ queues });
  });
  consumer.subscribe(settings.topic, settings.expression || '*', async (message, queue) => describe(message, queue));
  await consumer.ready();
  say({ ready: true });
  for await (const line of lines()) {
    throw new Error(`no input is expected: ${line}`);
  }
  await consumer.close();
});
