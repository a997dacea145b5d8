import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { RealtimeError, connect } from '@crm-core/client';
import { WebSocket } from 'ws';
import { event, notification, position } from './fake-server.js';
import { places, reach, reconnected, read, stage, uncaught } from './stage.js';

test('the backoff has full jitter below a bound that doubles from 250 ms to 30 s', async (t) => {
  for (const [random, share] of [
    [() => 0, 0],
    [() => 0.5, 0.5],
    [() => 0.999, 0.999],
  ] as const) {
    const ticket = () => Promise.reject(new Error('away'));
    const { client, timers } = await stage(t, { random, ticket });
    const delays: (number | undefined)[] = [];
    for (let attempt = 0; attempt < 10; attempt += 1) {
      await reach(client, 'waiting');
      delays.push(timers.pending[0]);
      timers.advance(timers.pending[0] ?? 0);
    }
    const bounds = [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000];
    delays.forEach((delay, n) => {
      const expected = share * (bounds[n] ?? 0);
      assert.ok(delay !== undefined && Math.abs(delay - expected) < 1e-6, `attempt ${n}: ${delay}, not ${expected}`);
    });
  }
});

test('a connection that is stable for a minute ends the count of failures', async (t) => {
  const set = await stage(t);
  const delays: (number | undefined)[] = [];
  for (const stable of [59_999, 59_999, 60_000]) {
    const peer = delays.length === 0 ? await set.server.accept() : await reconnected(set);
    await peer.greet(0, 86_400);
    set.timers.advance(stable);
    peer.cut();
    await reach(set.client, 'waiting');
    delays.push(set.timers.pending[0]);
  }
  assert.deepEqual(delays, [125, 250, 125]);
});

test('it pings every half heartbeat', async (t) => {
  const { server, timers } = await stage(t);
  const peer = await server.accept();
  await peer.greet(0, 10);
  timers.advance(4_999);
  timers.advance(1);
  assert.deepEqual(await peer.next(), { type: 'ping' });
  peer.send({ type: 'pong' });
});

test('a connection that is half open is given up after a heartbeat of silence', async (t) => {
  const set = await stage(t);
  const peer = await set.server.accept();
  await peer.greet(4, 10);
  set.timers.advance(9_999);
  assert.equal(set.client.state, 'open');
  // Any frame is a sign of life.
  peer.events(5);
  await read(set.client, 1);
  set.timers.advance(9_999);
  assert.equal(set.client.state, 'open');
  set.timers.advance(1);
  assert.equal(set.client.state, 'waiting');
  assert.match(set.errors[0]?.message ?? '', /silent/);
  const next = await reconnected(set);
  assert.equal((await next.greet(9))['after'], position(5));
});

test('an attempt that leads to no hello is given up', async (t) => {
  const set = await stage(t);
  const peer = await set.server.accept();
  set.timers.advance(19_999);
  assert.equal(set.client.state, 'connecting');
  set.timers.advance(1);
  assert.equal(set.client.state, 'waiting');
  await peer.closed;
  await (await reconnected(set)).greet(0);
});

test('a ticket that never comes is given up, and is void when it does', async (t) => {
  let late: (ticket: string) => void = () => {};
  let asked = 0;
  const ticket = () =>
    ++asked === 1 ? new Promise<string>((resolve) => (late = resolve)) : Promise.resolve(`ticket-${asked}`);
  const set = await stage(t, { ticket });
  set.timers.advance(20_000);
  const peer = await reconnected(set);
  late('late');
  assert.equal(peer.ticket, 'ticket-2');
  await peer.greet(0);
  await reach(set.client, 'open');
});

test('4401 with a new ticket goes on, 4401 with a refused one is the end', async (t) => {
  let refused = false;
  let asked = 0;
  const ticket = async () => {
    asked += 1;
    if (refused) throw new RealtimeError('ticket_refused', 'signed out');
    return `ticket-${asked}`;
  };
  const set = await stage(t, { ticket });
  const peer = await set.server.accept();
  await peer.greet(0);
  peer.close(4401, 'the session has ended');
  const next = await reconnected(set);
  await next.greet(0);
  refused = true;
  const loop = read(set.client, 2);
  next.events(1);
  next.close(4401);
  await reach(set.client, 'waiting');
  assert.equal(set.errors[0]?.closeCode, 4401);
  set.timers.advance(set.timers.pending[0] ?? 0);
  await assert.rejects(loop, { name: 'RealtimeError', code: 'ticket_refused', fatal: true, message: 'signed out' });
  assert.equal(set.client.state, 'closed');
  assert.equal(set.errors.at(-1)?.code, 'ticket_refused');
  assert.deepEqual(set.timers.pending, []);
  assert.equal(asked, 3);
});

test('what waits can be read before a loop meets the end', async (t) => {
  let asked = 0;
  const ticket = async () => {
    if (++asked > 1) throw new RealtimeError('ticket_refused', 'signed out');
    return 'ticket';
  };
  const set = await stage(t, { ticket });
  const peer = await set.server.accept();
  await peer.greet(0);
  peer.events(1);
  peer.close(4401);
  await reach(set.client, 'waiting');
  set.timers.advance(set.timers.pending[0] ?? 0);
  await reach(set.client, 'closed');
  assert.deepEqual(await places(set.client, 1), [1]);
  await assert.rejects(read(set.client, 1), { code: 'ticket_refused' });
  assert.deepEqual(await read(set.client, 1), []);
});

const malformed: [string, string | Buffer, RegExp][] = [
  ['is not JSON', '{"type":"ev', /not JSON/],
  ['has no type', '[]', /without a type/],
  ['is binary', Buffer.from('{"type":"pong"}'), /not text/],
  ['has a malformed position', JSON.stringify({ ...event(2), position: '2' }), /malformed `event`/],
  ['is a reset without a position', '{"type":"reset"}', /malformed `reset`/],
  ['is a second hello', JSON.stringify({ type: 'hello', position: position(0), heartbeat_seconds: 1 }), /hello twice/],
];
for (const [what, frame, message] of malformed) {
  test(`a frame that ${what} is told, and no event is missed by it`, async (t) => {
    const set = await stage(t);
    const peer = await set.server.accept();
    await peer.greet(0);
    peer.events(1);
    peer.send(frame);
    peer.events(3);
    const next = await reconnected(set);
    assert.equal(set.errors[0]?.code, 'protocol');
    assert.match(set.errors[0]?.message ?? '', message);
    assert.equal((await next.greet(9))['after'], position(1));
    next.events(2, 3);
    assert.deepEqual(await places(set.client, 3), [1, 2, 3]);
  });
}

test('frames before the hello are an error, frames of unknown types are none', async (t) => {
  const set = await stage(t);
  (await set.server.accept()).events(1);
  const peer = await reconnected(set);
  assert.match(set.errors[0]?.message ?? '', /before `hello`/);
  await peer.greet(0);
  peer.send({ type: 'news', of: 'tomorrow' });
  peer.events(1);
  assert.deepEqual(await places(set.client, 1), [1]);
  assert.equal(set.errors.length, 1);
});

test('an error of the server is told, and the connection stays', async (t) => {
  const set = await stage(t);
  const peer = await set.server.accept();
  await peer.greet(0);
  peer.send({ type: 'error', code: 'invalid_topic', message: '`x` is no topic' });
  peer.events(1);
  await read(set.client, 1);
  assert.deepEqual([set.errors[0]?.code, set.errors[0]?.serverCode], ['server', 'invalid_topic']);
  assert.equal(set.client.state, 'open');
});

test('close is final', async (t) => {
  const set = await stage(t);
  const peer = await set.server.accept();
  await peer.greet(0);
  peer.events(1, 2);
  await read(set.client, 1);
  const states = set.states.length;
  set.client.close();
  set.client.close();
  assert.equal(await peer.closed, 1000);
  assert.deepEqual(await read(set.client, 1), []);
  assert.deepEqual(set.timers.pending, []);
  assert.deepEqual(set.states.slice(states), ['closed']);
  assert.throws(() => set.client.ack('n'), { code: 'closed' });
  assert.throws(() => set.client.subscribe([]), { code: 'closed' });
});

test('close ends a loop that waits, an attempt, and a backoff', async (t) => {
  const waiting = await stage(t);
  const loop = read(waiting.client, 1);
  waiting.client.close();
  assert.deepEqual(await loop, []);

  const failing = await stage(t, { ticket: () => Promise.reject(new Error('away')) });
  await reach(failing.client, 'waiting');
  failing.client.close();
  assert.deepEqual(failing.timers.pending, []);

  let give: (ticket: string) => void = () => {};
  const attempt = await stage(t, { ticket: () => new Promise((resolve) => (give = resolve)) });
  attempt.client.close();
  give('ticket');
  await Promise.resolve();
  assert.deepEqual(attempt.timers.pending, []);
});

test('an acknowledgement is sent, again if it was lost, and later if there is no connection', async (t) => {
  const set = await stage(t);
  const peer = await set.server.accept();
  await peer.greet(0);
  peer.send(notification('a'));
  await read(set.client, 1);
  set.client.ack('a');
  assert.deepEqual(await peer.next(), { type: 'ack', notification_id: 'a' });
  peer.cut();
  await reach(set.client, 'waiting');
  set.client.ack('b');
  const next = await reconnected(set);
  await next.greet(0);
  assert.deepEqual(await next.next(), { type: 'ack', notification_id: 'b' });
  set.timers.advance(4_000);
  next.send(notification('a'));
  next.send(notification('c'));
  const [message] = await read(set.client, 1);
  assert.equal(message?.type === 'notification' && message.notification.id, 'c');
  assert.deepEqual(await next.next(), { type: 'ack', notification_id: 'a' });
});

test('many acknowledgements go out in bunches', async (t) => {
  const set = await stage(t);
  const ids = Array.from({ length: 26 }, (_, n) => `n${n}`);
  for (const id of ids.slice(0, 25)) set.client.ack(id);
  const peer = await set.server.accept();
  await peer.greet(0, 7);
  const said = async (count: number) => {
    const frames = [];
    while (frames.length < count) frames.push(await peer.next());
    return frames.map((frame) => frame['notification_id'] ?? frame['type']);
  };
  set.client.ack('n25');
  // A ping is between the bunches.
  set.timers.advance(3_999);
  assert.deepEqual(await said(21), [...ids.slice(0, 20), 'ping']);
  set.timers.advance(1);
  assert.deepEqual(await said(6), ids.slice(20));
});

test('wrong options are told at once', () => {
  const options = { ticket: async () => '', topics: [], webSocket: WebSocket };
  assert.throws(() => connect({ ...options, url: 'ftp://crm' }), /no address/);
  assert.throws(() => connect({ ...options, url: 'https://crm', after: 'F' }), /no position/);
  assert.throws(() => connect({ ...options, url: 'https://crm', queue: 0 }), /queue/);
});

test('an end that nobody listens to is an uncaught error', async (t) => {
  const thrown = uncaught(t);
  const client = connect({
    url: 'http://127.0.0.1:1',
    ticket: () => Promise.reject(new RealtimeError('ticket_refused', 'signed out')),
    topics: [],
    webSocket: WebSocket,
  });
  await reach(client, 'closed');
  await setImmediate();
  assert.deepEqual(thrown.map(String), ['RealtimeError: signed out']);
});
