// calls.js SOCKET: the life of a service through jayson, a connection for each
// call. Prints one JSON line for each.
'use strict';
const jayson = require('jayson/promise');

const client = jayson.Client.tcp({ path: process.argv[2] });

async function main() {
  const say = (what, answer) => console.log(JSON.stringify([what, answer]));
  const call = async (method, params) => {
    const answer = await client.request(method, params);
    say(method, answer.error || answer.result);
  };
  await call('service_list', []);
  await call('service_monitor', ['a']);
  await call('service_monitor', ['a']);
  await call('service_status', { name: 'nosuch' });
  await call('service_nosuch', []);
  await client.request('service_stop', ['a'], null); // a notification is not executed
  await call('service_list', {});
  const batch = [client.request('service_list', [], undefined, false), client.request('service_nosuch', [], undefined, false)];
  say('batch', (await client.request(batch)).map((answer) => answer.error || answer.result));
  const many = await Promise.all(Array.from({ length: 50 }, () => client.request('service_status', ['a'])));
  say('many', many.map((answer) => answer.result.name));
  await call('service_stop', ['a']);
  await call('service_forget', ['a']);
  await call('service_list', []);
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
