export { Crm, Worker, type BlockingCrm } from "./crm.js";
export { CrmError, type FieldError } from "./errors.js";
export { Batch, Events, type After, type Delivery } from "./events.js";
export { Calls, Contacts, Recording } from "./files.js";
export type { ExportOptions, ImportOptions, ImportProgress, Source } from "./files.js";
export type { Handler, HandlerOptions } from "./handler.js";
export { Session, type BlockingSession } from "./session.js";
export type { Blocking, Options } from "./calling.js";
export type * from "./surface.js";
