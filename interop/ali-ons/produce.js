'use strict';

// Sends each message that a line of standard input describes, and says on standard output what
// became of it. The end of the input ends the program.

const { Message, Producer } = require('ali-ons');
const { clientOptions, complain, lines, run, say } = require('./peer');

// Sends under way at one time.
const WINDOW = 16;

function messageOf(wanted) {
  // A message is made anew for each try: a send may replace the body by its compressed form.
  const message = wanted.tag === undefined
    ? new Message(wanted.topic, Buffer.from(wanted.body, 'base64'))
    : new Message(wanted.topic, wanted.tag, Buffer.from(wanted.body, 'base64'));
  if (wanted.keys) {
    message.keys = wanted.keys;
  }
  if (wanted.orderingKey) {
    message.shardingKey = wanted.orderingKey;
  }
  Object.assign(message.properties, wanted.properties);
  return message;
}

async function send(producer, wanted) {
  try {
    const result = await producer.send(messageOf(wanted));
    say({
      n: wanted.n, status: result.sendStatus, id: result.msgId, broker: result.messageQueue.brokerName,
      // The package hands on the number as it came, which is a string.
      queue: Number(result.messageQueue.queueId), offset: result.queueOffset,
    });
  } catch (error) {
    say({ n: wanted.n, error: `${error.name} ${error.code || ''}: ${error.message}` });
  }
}

run(async settings => {
  const producer = new Producer({ ...clientOptions(settings), producerGroup: settings.group });
  producer.on('error', complain);
  await producer.ready();
  say({ ready: true });
  const underWay = new Set();
  for await (const line of lines()) {
    const one = send(producer, JSON.parse(line)).finally(() => underWay.delete(one));
    underWay.add(one);
    if (underWay.size >= WINDOW) {
      await Promise.race(underWay);
    }
  }
  await Promise.all(underWay);
  await producer.close();
});
