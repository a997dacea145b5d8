import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type Message, isEvent } from '@crm-core/client';
import { event, notification, position } from './fake-server.js';
import { place, places, reach, read, stage, uncaught } from './stage.js';

test('a slow reader has the connection ended, and misses nothing', async (t) => {
  const set = await stage(t, { queue: 3 });
  const peer = await set.server.accept();
  await peer.greet(0);
  peer.events(1, 2, 3, 4, 5);
  assert.equal(await peer.closed, 1000);
  assert.equal(set.client.state, 'paused');
  assert.deepEqual(set.timers.pending, []);
  assert.deepEqual(await places(set.client, 2), [1, 2]);
  assert.equal(set.client.state, 'paused');
  const rest = places(set.client, 3);
  const next = await set.server.accept();
  assert.equal((await next.greet(5))['after'], position(3));
  next.events(4, 5);
  assert.deepEqual(await rest, [3, 4, 5]);
});

test('the position is that of the last event that was handed out', async (t) => {
  const { server, client } = await stage(t);
  const peer = await server.accept();
  await peer.greet(0);
  peer.events(1, 2, 3);
  const seen: unknown[] = [];
  for await (const message of client) {
    seen.push([place(message), client.position]);
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen, [1, 2, 3].map((number) => [number, position(number)]));
});

test('listeners get what waited for them, in order, and each its kind', async (t) => {
  const { server, client } = await stage(t, { queue: 4 });
  const peer = await server.accept();
  await peer.greet(0);
  peer.events(1);
  peer.send(notification('a'));
  peer.send({ type: 'reset', position: position(2) });
  peer.events(3);
  await reach(client, 'paused');
  const seen: Message[] = [];
  client.on('reset', (message) => seen.push(message));
  client.on('notification', (message) => seen.push(message));
  client.on('event', (message) => seen.push(message));
  const next = await server.accept();
  assert.deepEqual(seen.map(({ type }) => type), ['event', 'notification', 'reset', 'event']);
  assert.equal((await next.greet(9))['after'], position(3));
});

test('a listener that throws stops neither the others nor the client', async (t) => {
  const { server, client } = await stage(t);
  const thrown = uncaught(t);
  const seen: number[] = [];
  const off = client.on('event', () => {
    throw new Error('mine');
  });
  const two = new Promise<void>((resolve) => {
    client.on('event', (message) => {
      seen.push(place(message));
      off();
      if (seen.length === 2) resolve();
    });
  });
  const peer = await server.accept();
  await peer.greet(0);
  peer.events(1, 2);
  await two;
  await setImmediate();
  assert.deepEqual(seen, [1, 2]);
  assert.deepEqual(thrown.map(String), ['Error: mine']);
});

test('a listener can close the client', async (t) => {
  const { server, client } = await stage(t);
  const seen: number[] = [];
  client.on('event', (message) => {
    seen.push(place(message));
    client.close();
  });
  const peer = await server.accept();
  await peer.greet(0);
  peer.events(1, 2);
  assert.equal(await peer.closed, 1000);
  assert.deepEqual(seen, [1]);
});

test('messages go to one reader', async (t) => {
  const heard = await stage(t);
  heard.client.on('reset', () => {});
  await assert.rejects(read(heard.client, 1), /one reader/);
  const looped = await stage(t);
  looped.client[Symbol.asyncIterator]();
  assert.throws(() => looped.client.on('event', () => {}), /one reader/);
});

test('the memory for ids is bounded, the order needs none', async (t) => {
  const { server, client } = await stage(t, { queue: 20_000 });
  const peer = await server.accept();
  await peer.greet(0);
  const many = Array.from({ length: 10_000 }, (_, n) => n + 1);
  peer.events(...many, 1);
  // Its place is later, its id is the last but one.
  peer.send(event(10_001, 'event-9999'));
  peer.events(10_002);
  assert.deepEqual(await places(client, 10_001), [...many, 10_002]);
});

test('an event is told by its name', async (t) => {
  const { server, client } = await stage(t);
  const peer = await server.accept();
  await peer.greet(0);
  peer.events(1);
  const [message] = await read(client, 1);
  assert.ok(message?.type === 'event');
  assert.ok(isEvent(message.event, 'contact.created.v1'));
  const name: 'contact.created.v1' = message.event.name;
  assert.equal(name, 'contact.created.v1');
  assert.ok(!isEvent(message.event, 'call.started.v1'));
});
