export { type Client, type Happenings, type Options, type State, connect } from './client.js';
export type { WebSocketConstructor, WebSocketLike } from './connection.js';
export { type ErrorCode, RealtimeError } from './errors.js';
export { type CrmEvent, type EventName, type KnownEvent, isEvent } from './event.js';
export type { EventData, KnownEventName } from './events.js';
export type { EventMessage, Message, Notification, NotificationMessage, ResetMessage } from './messages.js';
export { ticketFrom } from './ticket.js';
export type { Timers } from './timers.js';
