import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocketServer, type WebSocket } from 'ws';

export type Frame = Record<string, unknown>;

/** Things in the order in which they come, for one who waits for each. */
class Line<T> {
  #waiting: T[] = [];
  #takers: ((thing: T) => void)[] = [];

  put(thing: T): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#waiting.push(thing);
    else taker(thing);
  }

  take(): Promise<T> {
    const thing = this.#waiting.shift();
    return thing === undefined ? new Promise((resolve) => this.#takers.push(resolve)) : Promise.resolve(thing);
  }
}

/** The server's end of one connection. */
export class Peer {
  readonly path: string;
  readonly ticket: string | null;
  /** The code with which the client closed, or 1006. */
  readonly closed: Promise<number>;
  readonly #socket: WebSocket;
  readonly #frames = new Line<Frame>();

  constructor(socket: WebSocket, request: IncomingMessage) {
    const url = new URL(request.url ?? '', 'http://server');
    this.path = url.pathname;
    this.ticket = url.searchParams.get('ticket');
    this.#socket = socket;
    socket.on('message', (data) => this.#frames.put(JSON.parse(String(data)) as Frame));
    this.closed = once(socket, 'close').then(([code]) => code as number);
  }

  /** What the client says next. */
  next(): Promise<Frame> {
    return this.#frames.take();
  }

  send(frame: Frame | string | Buffer): void {
    this.#socket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  hello(at: number, heartbeat_seconds = 30): void {
    this.send({ type: 'hello', connection_id: 'c', position: position(at), heartbeat_seconds });
  }

  /** Hello, and the client's answer to it. */
  async greet(at: number, heartbeat_seconds?: number): Promise<Frame> {
    this.hello(at, heartbeat_seconds);
    return this.next();
  }

  events(...places: number[]): void {
    for (const place of places) this.send(event(place));
  }

  close(code: number, reason?: string): void {
    this.#socket.close(code, reason);
  }

  /** Cuts the connection without a word. */
  cut(): void {
    this.#socket.terminate();
  }
}

export class FakeServer {
  readonly #server: WebSocketServer;
  readonly #peers = new Line<Peer>();

  private constructor(server: WebSocketServer) {
    this.#server = server;
    server.on('connection', (socket, request) => this.#peers.put(new Peer(socket, request)));
  }

  static async start(): Promise<FakeServer> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    return new FakeServer(server);
  }

  get url(): string {
    const { port } = this.#server.address() as { port: number };
    return `http://127.0.0.1:${port}`;
  }

  /** The next connection. */
  accept(): Promise<Peer> {
    return this.#peers.take();
  }

  stop(): void {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
  }
}

export function position(place: number): string {
  return place.toString(16).padStart(16, '0');
}

export function event(place: number, id = `event-${place}`): Frame {
  return {
    type: 'event',
    position: position(place),
    event: {
      id,
      name: 'contact.created.v1',
      occurred_at: '2026-01-02T03:04:05Z',
      actor: 'system',
      subject: { kind: 'contact', id: `contact-${place}` },
      data: {},
    },
  };
}

export function notification(id: string): Frame {
  const created_at = '2026-01-02T03:04:05Z';
  return { type: 'notification', notification: { id, kind: 'k', title: 't', body: 'b', data: {}, created_at } };
}
