'use strict';

// What both programs share: options of the client, JSON lines in and out, and an orderly end.

const http = require('node:http');
const readline = require('node:readline');

// httpclient is what ali-ons wants to fetch a list of name servers with. It is demanded even
// where no list is fetched.
const httpclient = {
  request(url, { timeout }) {
    return new Promise((resolve, reject) => {
      const request = http.get(url, { timeout }, response => {
        const chunks = [];
        response.on('data', chunk => chunks.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode, data: Buffer.concat(chunks) }));
        response.on('error', reject);
      });
      request.on('timeout', () => request.destroy(new Error(`no answer from ${url}`)));
      request.on('error', reject);
    });
  },
};

const silent = { debug() {}, info() {}, warn() {}, error() {} };

// clientOptions turns the first argument into options of ali-ons. Without nameSrv or onsAddr
// the package would ask an address on the internet, so one of them is always set.
function clientOptions(settings) {
  const options = { httpclient, logger: silent, clientIP: '127.0.0.1' };
  if (settings.endpoint) {
    options.onsAddr = settings.endpoint;
  } else if (settings.nameServers && settings.nameServers.length) {
    options.nameSrv = settings.nameServers;
    options.onsAddr = '';
  } else {
    throw new Error('want nameServers or endpoint');
  }
  return options;
}

function say(value) {
  process.stdout.write(JSON.stringify(value) + '\n');
}

// complain reports what the package itself puts up with, such as a broker that is away.
function complain(error) {
  process.stderr.write((error.stack || error) + '\n');
}

function lines() {
  return readline.createInterface({ input: process.stdin, crlfDelay: Infinity });
}

// run ends the process when the program is done: the package keeps timers and connections of its
// own. What was written to a pipe is written by then, because pipes are synchronous on Linux.
function run(program) {
  program(JSON.parse(process.argv[2])).then(() => process.exit(0), error => {
    complain(error);
    process.exit(1);
  });
}

module.exports = { clientOptions, complain, lines, run, say };
