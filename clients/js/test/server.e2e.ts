// Against a real server, which the environment names. Its allowed origins must include the page's: `*`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { RealtimeError, connect, ticketFrom } from '@crm-core/client';
import { inChromium, pageServer } from './chromium.js';
import { type Meeting, meet } from './scenario.js';

function named(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set; scripts/test-client sets it`);
  return value;
}

const server = named('CRM_TEST_SERVER_URL');
const token = named('CRM_TEST_ACCESS_TOKEN');

function whole({ made, told }: Meeting): void {
  assert.equal(made.length, 4);
  assert.deepEqual(told, made);
}

test('in Node, each contact that is made is told once and in order', async () => {
  whole(await meet(server, token, WebSocket));
});

test('in Chromium, each contact that is made is told once and in order', async (t) => {
  const expression = `meet(${JSON.stringify(server)}, ${JSON.stringify(token)}, WebSocket)`;
  const page = await pageServer(expression, (_, reply) => void reply.writeHead(404).end());
  t.after(() => {
    page.server.closeAllConnections();
    page.server.close();
  });
  whole((await inChromium(page)) as Meeting);
});

test('a wrong token is the end', async () => {
  const client = connect({ url: server, ticket: ticketFrom(server, 'wrong'), topics: [], webSocket: WebSocket });
  const loop = (async () => {
    for await (const message of client) assert.fail(`a ${message.type}`);
  })();
  await assert.rejects(loop, (error) => error instanceof RealtimeError && error.code === 'ticket_refused');
});
