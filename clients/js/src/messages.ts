import { RealtimeError } from './errors.js';
import type { CrmEvent } from './event.js';

/** An event and its place in the tenant's log. */
export interface EventMessage {
  readonly type: 'event';
  readonly position: string;
  readonly event: CrmEvent;
}

/** Something that one user should know, until they acknowledge it. */
export interface Notification {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
  readonly body: string;
  readonly data: Record<string, unknown>;
  /** RFC 3339. */
  readonly created_at: string;
}

export interface NotificationMessage {
  readonly type: 'notification';
  readonly notification: Notification;
}

/** Events are missing that cannot be had any more: what was built from earlier ones is to be read anew. */
export interface ResetMessage {
  readonly type: 'reset';
  readonly position: string;
}

/** What the client hands out. */
export type Message = EventMessage | NotificationMessage | ResetMessage;

export interface Hello {
  readonly type: 'hello';
  readonly connection_id: string;
  readonly position: string;
  readonly heartbeat_seconds: number;
}

interface ErrorFrame {
  readonly type: 'error';
  readonly code: string;
  readonly message: string;
}

export type ServerFrame = Message | Hello | ErrorFrame | { readonly type: 'pong' };

export type ClientFrame =
  | { type: 'subscribe'; topics: readonly string[]; after: string }
  | { type: 'ack'; notification_id: string }
  | { type: 'ping' };

/** Whether a text is a position: sixteen lower-case hexadecimal digits, which compare as text. */
export function isPosition(text: unknown): text is string {
  return typeof text === 'string' && /^[0-9a-f]{16}$/.test(text);
}

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** What a frame must have, by its type; what else it has is left as it is. */
const shapes: Record<ServerFrame['type'], (frame: Fields) => boolean> = {
  hello: ({ position, heartbeat_seconds: seconds }) =>
    isPosition(position) && typeof seconds === 'number' && seconds > 0 && seconds <= 86_400,
  event: ({ position, event }) =>
    isPosition(position) && isFields(event) && isText(event['id']) && isText(event['name']),
  notification: ({ notification }) => isFields(notification) && isText(notification['id']),
  reset: ({ position }) => isPosition(position),
  error: ({ code, message }) => isText(code) && isText(message),
  pong: () => true,
};

/**
 * Reads a frame. `undefined` for a type that this version does not know.
 *
 * Throws a `protocol` error for what is no frame.
 */
export function readFrame(data: unknown): ServerFrame | undefined {
  if (!isText(data)) throw new RealtimeError('protocol', 'the server sent a frame that is not text');
  let frame: unknown;
  try {
    frame = JSON.parse(data);
  } catch (cause) {
    throw new RealtimeError('protocol', `the server sent a frame that is not JSON: ${start(data)}`, { cause });
  }
  if (!isFields(frame) || !isText(frame['type'])) {
    throw new RealtimeError('protocol', `the server sent a frame without a type: ${start(data)}`);
  }
  if (!Object.hasOwn(shapes, frame['type'])) return undefined;
  const known = frame as unknown as ServerFrame;
  if (!shapes[known.type](frame)) {
    throw new RealtimeError('protocol', `the server sent a malformed \`${known.type}\`: ${start(data)}`);
  }
  return known;
}

function start(data: string): string {
  return data.length > 80 ? `${data.slice(0, 80)}…` : data;
}
