'use strict';

// Consumes a topic as a member of a group and reports each message. The end of standard input makes it
// commit, leave the group and end.

const { Consumer } = require('ali-ons');
const { clientOptions, complain, lines, report, run } = require('./peer');

// Queues are shared out anew this often, and a pull that failed is repeated after so long: the tests
// do not wait for the package's 10 s and 3 s.
const REBALANCE_MILLIS = 500;
const PULL_AGAIN_MILLIS = 200;

async function describe(message, queue) {
  report({ delivery: {
    topic: message.topic,
    tag: message.tags,
    keys: message.keys ? message.keys.split(' ') : null,
    properties: message.properties,
    body: message.body ? message.body.toString('base64') : null,
    offsetId: message.msgId,
    broker: queue.brokerName,
    queue: message.queueId,
    offset: message.queueOffset,
    userFlags: message.flag,
    redeliveries: message.reconsumeTimes,
  } });
}

run(async settings => {
  const consumer = new Consumer({
    ...clientOptions(settings),
    consumerGroup: settings.group,
    consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
    rebalanceInterval: REBALANCE_MILLIS,
    pullTimeDelayMillsWhenException: PULL_AGAIN_MILLIS,
  });
  consumer.on('error', complain);
  consumer.subscribe(settings.topic, settings.expression || '*', describe);
  await consumer.ready();
  report({ ready: true });
  for await (const line of lines()) {
    throw new Error(`a consumer takes no orders: ${line}`);
  }
  await consumer.close();
});
