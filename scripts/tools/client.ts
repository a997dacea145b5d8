// A user's first hour over HTTP, with types that are made from the OpenAPI document alone: sign in, import a
// file, search with a typo, page through all, change one record and meet a conflict.
import createClient from 'openapi-fetch';
import type { paths } from './crm.js';

const baseUrl = process.env.CRM_URL ?? '';
const email = process.env.CRM_EMAIL ?? '';
const password = process.env.CRM_PASSWORD ?? '';

function must<T>(reply: { data?: T; error?: unknown; response: Response }): T {
  if (reply.data === undefined) {
    throw new Error(`${reply.response.status} ${reply.response.url}: ${JSON.stringify(reply.error)}`);
  }
  return reply.data;
}

function equal(found: unknown, expected: unknown, what: string): void {
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
  }
}

const open = createClient<paths>({ baseUrl });
const tokens = must(await open.POST('/auth/login', { body: { email, password } }));
const client = createClient<paths>({
  baseUrl,
  headers: { Authorization: `Bearer ${tokens.access_token}` },
});
const me = must(await client.GET('/auth/me'));
equal(me.user?.email, email, 'who is signed in');

const people = Array.from({ length: 120 }, (_, n) => `Person ${n},Surname${n},p${n}@client.example`);
const csv = ['first_name,last_name,email', 'Ada,Lovelace,ada@client.example', ...people].join('\n');
const imported = await fetch(`${baseUrl}/contacts/import`, {
  method: 'POST',
  headers: { Authorization: `Bearer ${tokens.access_token}`, 'Content-Type': 'text/csv' },
  body: csv,
});
const report = (await imported.json()) as { created: number; failed: number };
equal([imported.status, report.created, report.failed], [200, 121, 0], 'the import');

const hits = must(await client.GET('/contacts/search', { params: { query: { q: 'ada lovelaec' } } }));
const ada = hits.items[0]?.contact;
if (ada === undefined) throw new Error('ada is not found');
equal([ada.first_name, ada.last_name], ['Ada', 'Lovelace'], 'the best hit');

const seen = new Set<string>();
let cursor: string | undefined;
do {
  const query: { limit: number; sort: 'last_name'; cursor?: string } = { limit: 50, sort: 'last_name' };
  if (cursor !== undefined) query.cursor = cursor;
  const page = must(await client.GET('/contacts', { params: { query } }));
  for (const contact of page.items) seen.add(contact.id);
  cursor = page.next_cursor ?? undefined;
} while (cursor !== undefined);
if (seen.size < 121) throw new Error(`${seen.size} contacts on all pages`);

const path = { id: ada.id };
const changed = must(
  await client.PATCH('/contacts/{id}', {
    params: { path, header: { 'If-Match': `"${ada.version}"` } },
    body: { title: 'Analyst' },
  }),
);
equal([changed.title, changed.version], ['Analyst', ada.version + 1], 'the change');
const stale = await client.PATCH('/contacts/{id}', {
  params: { path, header: { 'If-Match': `"${ada.version}"` } },
  body: { title: 'Countess' },
});
equal([stale.response.status, stale.error?.code], [412, 'version_conflict'], 'the stale change');

const timeline = must(await client.GET('/contacts/{id}/activities', { params: { path } }));
equal(timeline.items.map((entry) => entry.kind), ['contact_updated', 'contact_created'], 'the timeline');
console.log(`client: signed in, imported 121, found 1, paged ${seen.size}, changed 1`);
