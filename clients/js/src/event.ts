import type { EventData, KnownEventName } from './events.js';

/** The name of an event; a newer server may know more of them. */
export type EventName = KnownEventName | (string & {});

interface EventOf<Name, Data> {
  readonly id: string;
  readonly name: Name;
  /** RFC 3339. */
  readonly occurred_at: string;
  /** Who did it: `system`, `user:<id>` or `api_key:<id>`. */
  readonly actor: string;
  /** The record that it happened to. */
  readonly subject: { readonly kind: string; readonly id: string };
  readonly data: Data;
}

/** An event whose name and shape this version knows, told apart by `name`. */
export type KnownEvent = { [Name in KnownEventName]: EventOf<Name, EventData[Name]> }[KnownEventName];

/** Something that happened. */
export type CrmEvent = KnownEvent | EventOf<string & {}, Record<string, unknown>>;

/**
 * Whether the event has this name, which gives its `data` its type. (A comparison of `name` would not: the
 * type of an unknown name holds the known ones too.)
 */
export function isEvent<Name extends KnownEventName>(
  event: CrmEvent,
  name: Name,
): event is Extract<KnownEvent, { name: Name }> {
  return event.name === name;
}
