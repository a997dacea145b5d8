import assert from 'node:assert/strict';
import { test } from 'node:test';
import { event, position } from './fake-server.js';
import { place, places, reach, reconnected, read, stage } from './stage.js';

test('it subscribes from the hello on, with a ticket', async (t) => {
  const { server, client } = await stage(t);
  const peer = await server.accept();
  assert.deepEqual([peer.path, peer.ticket], ['/ws', 'ticket-1']);
  assert.equal(client.position, undefined);
  assert.deepEqual(await peer.greet(7), { type: 'subscribe', topics: ['tenant'], after: position(7) });
  assert.equal(client.position, position(7));
});

test('it resumes after the last event, with a new ticket', async (t) => {
  const set = await stage(t);
  const peer = await set.server.accept();
  await peer.greet(7);
  peer.events(9, 10);
  assert.deepEqual(await places(set.client, 2), [9, 10]);
  assert.equal(set.client.position, position(10));
  peer.cut();
  const next = await reconnected(set);
  assert.equal(next.ticket, 'ticket-2');
  assert.deepEqual(await next.greet(20), { type: 'subscribe', topics: ['tenant'], after: position(10) });
  assert.equal(set.errors[0]?.code, 'connection');
});

test('it resumes from the hello where no event came', async (t) => {
  const set = await stage(t);
  const peer = await set.server.accept();
  await peer.greet(7);
  peer.cut();
  const next = await reconnected(set);
  assert.equal((await next.greet(20))['after'], position(7));
});

test('a stored position is where it begins', async (t) => {
  const { server, client } = await stage(t, { after: position(3) });
  const peer = await server.accept();
  assert.equal((await peer.greet(7))['after'], position(3));
  assert.equal(client.position, position(3));
});

test('what came before is dropped, by position and by id', async (t) => {
  const set = await stage(t);
  const peer = await set.server.accept();
  await peer.greet(0);
  peer.events(1, 2);
  peer.cut();
  const next = await reconnected(set);
  await next.greet(5);
  next.events(1, 2, 3, 3);
  next.send(event(4, 'event-3'));
  next.events(5);
  assert.deepEqual(await places(set.client, 4), [1, 2, 3, 5]);
});

test('a log that is cut at every event is read whole and in order', async (t) => {
  const set = await stage(t);
  const read: number[] = [];
  set.client.on('event', (message) => read.push(place(message)));
  const last = 40;
  let peer = await set.server.accept();
  for (;;) {
    const { after } = await peer.greet(0);
    const from = Number.parseInt(String(after), 16);
    if (from === last) break;
    // What was under way when the connection broke comes again.
    peer.events(...[from, from + 1, from + 2].filter((number) => number >= 1 && number <= last));
    peer.close(1001);
    peer = await reconnected(set);
  }
  assert.deepEqual(read, Array.from({ length: last }, (_, n) => n + 1));
});

test('a reset is handed out in its place, and events go on after it, even at lower positions', async (t) => {
  const set = await stage(t, { after: position(50) });
  const peer = await set.server.accept();
  await peer.greet(9);
  peer.send({ type: 'reset', position: position(9) });
  peer.events(10, 11);
  assert.deepEqual(await places(set.client, 3), [-9, 10, 11]);
  peer.cut();
  const next = await reconnected(set);
  assert.equal((await next.greet(20))['after'], position(11));
});

test('a reset is the position to go on from', async (t) => {
  const { server, client } = await stage(t, { after: position(50) });
  const peer = await server.accept();
  await peer.greet(9);
  peer.send({ type: 'reset', position: position(9) });
  const [reset] = await read(client, 1);
  assert.deepEqual(reset, { type: 'reset', position: position(9) });
  assert.equal(client.position, position(9));
});

test('other topics are followed from the same position', async (t) => {
  const { server, client } = await stage(t);
  const peer = await server.accept();
  await peer.greet(0);
  peer.events(1);
  assert.deepEqual(await places(client, 1), [1]);
  client.subscribe(['contact:a']);
  client.subscribe(['contact:b']);
  const next = await server.accept();
  assert.equal(await peer.closed, 1000);
  assert.deepEqual(await next.greet(9), { type: 'subscribe', topics: ['contact:b'], after: position(1) });
  await reach(client, 'open');
});
