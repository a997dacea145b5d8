import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { ticketFrom } from '@crm-core/client';

/** A CRM under a path that answers with this, and what it is asked. */
async function crm(t: TestContext, status: number, body: string) {
  const asked: string[] = [];
  const server = createServer((request, reply) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    reply.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}/crm/`, asked };
}

test('it asks for a ticket with the token of the moment', async (t) => {
  const { url, asked } = await crm(t, 200, '{"ticket":"t","expires_in":30}');
  assert.equal(await ticketFrom(url, 'a')(), 't');
  assert.equal(await ticketFrom(url, async () => 'b')(), 't');
  assert.deepEqual(asked, ['a', 'b'].map((token) => `POST /crm/realtime/tickets Bearer ${token}`));
});

for (const [status, code] of [
  [401, 'ticket_refused'],
  [403, 'ticket_refused'],
  [404, 'ticket_refused'],
  [408, 'ticket'],
  [429, 'ticket'],
  [500, 'ticket'],
  [503, 'ticket'],
] as const) {
  test(`the answer ${status} is ${code}`, async (t) => {
    const { url } = await crm(t, status, '{}');
    await assert.rejects(ticketFrom(url, 'a')(), { code, message: new RegExp(`answered ${status}`) });
  });
}

test('an answer without a ticket, and none at all, are no refusal', async (t) => {
  for (const body of ['', 'null', '{}', '{"ticket":1}']) {
    const { url } = await crm(t, 200, body);
    await assert.rejects(ticketFrom(url, 'a')(), { code: 'ticket' });
  }
  await assert.rejects(ticketFrom('http://127.0.0.1:1', 'a')(), { code: 'ticket', message: /reached/ });
});
