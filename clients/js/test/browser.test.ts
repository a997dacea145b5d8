import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import { test } from 'node:test';
import { WebSocketServer } from 'ws';
import { inChromium, pageServer } from './chromium.js';
import { type Frame, event, position } from './fake-server.js';

const last = 200;

/** A log of 200 events over WebSockets that are cut after 70 more each, now with, now without a close. */
function log(server: Server, connections: { ticket: string | null; after: number }[]): void {
  new WebSocketServer({ server, path: '/ws' }).on('connection', (socket, request) => {
    const say = (frame: Frame) => socket.send(JSON.stringify(frame));
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data)) as { type: string; after: string };
      if (frame.type !== 'subscribe') return;
      const after = Number.parseInt(frame.after, 16);
      connections.push({ ticket: new URL(request.url ?? '', 'http://server').searchParams.get('ticket'), after });
      // The last one before comes again, as it may where a server falls over.
      for (let place = Math.max(after, 1); place <= Math.min(after + 70, last); place += 1) say(event(place));
      if (after + 70 >= last) return;
      // Once what was sent is out.
      socket.ping('', false, () => (connections.length % 2 === 0 ? socket.close(1001) : socket.terminate()));
    });
    say({ type: 'hello', connection_id: 'c', position: position(0), heartbeat_seconds: 30 });
  });
}

test('in Chromium, a log over broken connections is read whole, once and in order', async (t) => {
  let tickets = 0;
  const page = await pageServer(`follow(location.origin, ${last})`, (request, reply) => {
    if (request.method === 'POST' && request.url === '/realtime/tickets') {
      tickets += 1;
      reply.end(JSON.stringify({ ticket: `${request.headers.authorization}-${tickets}`, expires_in: 30 }));
    } else {
      reply.writeHead(404).end();
    }
  });
  t.after(() => {
    page.server.closeAllConnections();
    page.server.close();
  });
  const connections: { ticket: string | null; after: number }[] = [];
  log(page.server, connections);
  const places = await inChromium(page);
  assert.deepEqual(places, Array.from({ length: last }, (_, n) => n + 1));
  assert.ok(connections.length > 2, `${connections.length} connections`);
  const expected = connections.map((_, n) => `Bearer token-${n + 1}`);
  assert.deepEqual(connections.map(({ ticket }) => ticket), expected);
});
