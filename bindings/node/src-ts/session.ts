import { AsyncCaller, BlockingCaller, type Awaited, type Blocking } from "./calling.js";
import { Events } from "./events.js";
import { Calls, Contacts } from "./files.js";
import type { NativeSession } from "./native.js";
import { CallsOperations, ContactsOperations, SessionNamespaces, type SessionBlocking } from "./surface.js";

/** A session whose methods wait on the caller's thread: quicker than a promise where the database is a file. */
export interface BlockingSession extends SessionBlocking {
    /** The operations of `contacts`. */
    readonly contacts: Blocking<ContactsOperations>;
    /** The operations of `calls`. */
    readonly calls: Blocking<CallsOperations>;
}

class Waiting extends SessionNamespaces {
    readonly contacts = new ContactsOperations(this.caller);
    readonly calls = new CallsOperations(this.caller);
}

/** One actor at work in one tenant. Made for one request; it keeps the role that the actor had. */
export class Session extends SessionNamespaces {
    readonly #native: NativeSession;
    readonly #awaited: Awaited;
    #contacts: Contacts | undefined;
    #calls: Calls | undefined;
    #events: Events | undefined;
    #blocking: BlockingSession | undefined;

    /** @internal */
    constructor(native: NativeSession, awaited: Awaited) {
        super(new AsyncCaller(native, awaited));
        this.#native = native;
        this.#awaited = awaited;
    }

    /** Contacts, and files of them. */
    get contacts(): Contacts {
        return (this.#contacts ??= new Contacts(this.caller, this.#native));
    }

    /** Calls, and their recordings. */
    get calls(): Calls {
        return (this.#calls ??= new Calls(this.caller, this.#native));
    }

    /** What happens. */
    get events(): Events {
        return (this.#events ??= new Events(this.#native, this.#awaited));
    }

    /** The same operations, each of which waits on the caller's thread. */
    get blocking(): BlockingSession {
        return (this.#blocking ??= new Waiting(new BlockingCaller(this.#native)) as unknown as BlockingSession);
    }
}
