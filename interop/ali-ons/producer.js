'use strict';

// Sends what each line of standard input orders, and reports what became of it. The end of the input ends it.

const { Message, Producer } = require('ali-ons');
const { clientOptions, complain, lines, report, run } = require('./peer');

// Sends under way at one time.
const WINDOW = 16;

// messageOf is called for each try: a send replaces the body by its compressed form.
function messageOf(order) {
  const body = Buffer.from(order.body, 'base64');
  const message = order.tag ? new Message(order.topic, order.tag, body) : new Message(order.topic, body);
  if (order.keys) {
    message.keys = order.keys;
  }
  Object.assign(message.properties, order.properties);
  return message;
}

async function send(producer, order) {
  try {
    const result = await producer.send(messageOf(order));
    report({ outcome: {
      number: order.number,
      status: result.sendStatus,
      offsetId: result.msgId,
      broker: result.messageQueue.brokerName,
      // The package hands on the text of the answer.
      queue: Number(result.messageQueue.queueId),
      offset: result.queueOffset,
    } });
  } catch (error) {
    report({ outcome: { number: order.number, error: `${error.name} ${error.code}: ${error.message}` } });
  }
}

run(async settings => {
  const producer = new Producer({ ...clientOptions(settings), producerGroup: settings.group });
  producer.on('error', complain);
  await producer.ready();
  report({ ready: true });
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
