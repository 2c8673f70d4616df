'use strict';

// What the two programs share: options of the package, JSON lines in and out, and an orderly end.

const http = require('node:http');
const readline = require('node:readline');

// httpclient fetches a list of name servers. The package demands it even where there is none to fetch.
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

// clientOptions never leaves both ways to name servers out: the package would ask an address on
// the internet.
function clientOptions(settings) {
  const options = { httpclient, logger: silent, clientIP: '127.0.0.1' };
  if (settings.endpoint) {
    return { ...options, onsAddr: settings.endpoint };
  }
  if (!settings.nameServers || !settings.nameServers.length) {
    throw new Error('want nameServers or endpoint');
  }
  return { ...options, nameSrv: settings.nameServers };
}

function report(value) {
  process.stdout.write(JSON.stringify(value) + '\n');
}

// complain shows what the package itself puts up with, such as a broker that is away.
function complain(error) {
  process.stderr.write((error.stack || error) + '\n');
}

function lines() {
  return readline.createInterface({ input: process.stdin, crlfDelay: Infinity });
}

// run ends the process when the program is done: the package keeps timers and connections of its
// own. Nothing printed is lost, because writing to a pipe is synchronous here.
function run(program) {
  Promise.resolve(JSON.parse(process.argv[2])).then(program).then(() => process.exit(0), error => {
    complain(error);
    process.exit(1);
  });
}

module.exports = { clientOptions, complain, lines, report, run };
