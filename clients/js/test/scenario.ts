// What runs in a browser's page and in Node alike: it knows neither's modules.
import { type Message, type WebSocketConstructor, connect, isEvent, ticketFrom } from '@crm-core/client';

/** Follows a log up to the event at the place `last`; gives the places in the order in which they came. */
export async function follow(base: string, last: number): Promise<number[]> {
  const client = connect({ url: base, ticket: ticketFrom(base, 'token'), topics: ['tenant'], queue: 50 });
  const places: number[] = [];
  for await (const message of client) {
    if (message.type !== 'event') throw new Error(`a ${message.type}`);
    places.push(Number.parseInt(message.position, 16));
    if (message.position >= last.toString(16).padStart(16, '0')) break;
  }
  client.close();
  return places;
}

/** The contacts that were made, and those whose event came. */
export interface Meeting {
  made: string[];
  told: string[];
}

/**
 * Makes contacts at a real server, one of them while the connection is down, and one after other topics were
 * asked for; gives them and what the client was told.
 */
export async function meet(base: string, token: string, webSocket: WebSocketConstructor): Promise<Meeting> {
  let cut = () => {};
  const Recorded = class extends webSocket {
    constructor(url: string) {
      super(url);
      cut = () => this.close();
    }
  };
  const client = connect({ url: base, ticket: ticketFrom(base, token), topics: ['tenant'], webSocket: Recorded });
  const problems: string[] = [];
  client.on('error', (error) => problems.push(error.message));
  const patience = setTimeout(() => client.close(), 20_000);
  const made: string[] = [];
  const told: string[] = [];
  const make = async () => void made.push(await contact(base, token));
  try {
    await opened(client);
    await make();
    for await (const message of client) {
      const id = created(message);
      if (id === undefined || !made.includes(id)) continue;
      told.push(id);
      if (told.length === 4) break;
      if (told.length === 1) {
        cut();
        await make();
      } else if (told.length === 2) {
        client.subscribe(['tenant']);
        await make();
        await make();
      }
    }
  } finally {
    clearTimeout(patience);
    client.close();
  }
  if (told.length < 4) throw new Error(`${told.length} of 4 events came: ${problems.join('; ')}`);
  return { made, told };
}

function created(message: Message): string | undefined {
  if (message.type !== 'event' || !isEvent(message.event, 'contact.created.v1')) return undefined;
  return message.event.subject.id;
}

/** Waits for the connection, or for the end of the client. */
function opened(client: ReturnType<typeof connect>): Promise<void> {
  return new Promise((resolve) => {
    client.on('state', (state) => {
      if (state === 'open' || state === 'closed') resolve();
    });
  });
}

async function contact(base: string, token: string): Promise<string> {
  const reply = await fetch(`${base}/contacts`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ first_name: 'Real', last_name: 'Time' }),
  });
  if (reply.status !== 201) throw new Error(`POST /contacts: ${reply.status} ${await reply.text()}`);
  return ((await reply.json()) as { id: string }).id;
}
