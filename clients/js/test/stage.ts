import type { TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { type Client, type Message, type Options, type RealtimeError, type State, connect } from '@crm-core/client';
import { FakeServer, type Peer } from './fake-server.js';
import { FakeTimers } from './fake-timers.js';

export interface Stage {
  server: FakeServer;
  timers: FakeTimers;
  client: Client;
  errors: RealtimeError[];
  states: State[];
}

/** A fake server, and a client of it whose time and chance are the test's. */
export async function stage(t: TestContext, options: Partial<Options> = {}): Promise<Stage> {
  const server = await FakeServer.start();
  const timers = new FakeTimers();
  let tickets = 0;
  const client = connect({
    url: server.url,
    ticket: async () => `ticket-${++tickets}`,
    topics: ['tenant'],
    webSocket: WebSocket,
    random: () => 0.5,
    timers,
    ...options,
  });
  const errors: RealtimeError[] = [];
  const states: State[] = [];
  client.on('error', (error) => errors.push(error));
  client.on('state', (state) => states.push(state));
  t.after(() => {
    client.close();
    server.stop();
  });
  return { server, timers, client, errors, states };
}

/** Waits until the client is in this state. */
export async function reach(client: Client, state: State): Promise<void> {
  if (client.state === state) return;
  await new Promise<void>((resolve) => {
    const off = client.on('state', (now) => {
      if (now !== state) return;
      off();
      resolve();
    });
  });
}

/** Lets the client wait out its backoff, and takes the connection that it then makes. */
export async function reconnected({ client, timers, server }: Stage): Promise<Peer> {
  await reach(client, 'waiting');
  // No more than that, or the patience with the attempt were over too.
  timers.advance(timers.pending[0] ?? 0);
  return server.accept();
}

/** The next so many messages of a loop over the client. */
export async function read(client: Client, count: number): Promise<Message[]> {
  const messages: Message[] = [];
  for await (const message of client) {
    messages.push(message);
    if (messages.length === count) break;
  }
  return messages;
}

/** The places of the next so many events; a reset is its place, negative. */
export async function places(client: Client, count: number): Promise<number[]> {
  return (await read(client, count)).map(place);
}

export function place(message: Message): number {
  if (message.type === 'notification') throw new Error(`a notification: ${message.notification.id}`);
  const number = Number.parseInt(message.position, 16);
  return message.type === 'reset' ? -number : number;
}

/** What is thrown for the world to see from now on: the test runner takes an uncaught error as its own. */
export function uncaught(t: TestContext): unknown[] {
  const thrown: unknown[] = [];
  t.mock.method(globalThis, 'queueMicrotask', (task: () => void) => {
    void Promise.resolve().then(task).catch((error: unknown) => thrown.push(error));
  });
  return thrown;
}
