// The npm package `ws` against a proxy. Arguments: HOST:PORT. Prints "ok".
const WebSocket = require('ws');
const socket = new WebSocket(`ws://${process.argv[2]}/`);
const waiting = new Map();
let id = 0, lines = 0;
const call = (method, params) => new Promise((resolve) => {
	waiting.set(++id, resolve);
	socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
});
const fail = (why) => { console.error(why); process.exit(1); };

socket.on('error', fail);
socket.on('open', async () => {
	const list = await call('service_list');
	if (list.result.a !== 'Running') fail(list);
	const large = await call('service_status', ['x'.repeat(300000)]);
	if (large.error.code !== -32000) fail(large);
	socket.ping('hello');
	await new Promise((resolve) => socket.once('pong', (data) => String(data) === 'hello' ? resolve() : fail(data)));
	const subscription = await call('stream_subscribeLogs', ['talk']);
	while (lines < 5) await new Promise((resolve) => setTimeout(resolve, 10));
	if ((await call('stream_unsubscribeLogs', [subscription.result])).result !== true) fail('unsubscribe');
	socket.close(1000);
});
socket.on('message', (data, binary) => {
	if (binary) fail('binary');
	const message = JSON.parse(data);
	if (message.method) return lines++;
	waiting.get(message.id)(message);
});
socket.on('close', (code) => code === 1000 ? console.log('ok') : fail(code));
