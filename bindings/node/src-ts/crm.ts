import { AsyncCaller, Awaited, BlockingCaller, crossing } from "./calling.js";
import { crmError } from "./errors.js";
import { written } from "./given.js";
import { handler, prefixOf, type Handler, type HandlerOptions } from "./handler.js";
import { native, type NativeCrm, type NativeWorker } from "./native.js";
import { offered, type Ports } from "./ports.js";
import { Session } from "./session.js";
import { CrmNamespaces, ofMounting, ofOpening, type CrmBlocking, type Opening } from "./surface.js";
import { handedIn, type WebhookReply, type WebhookRequest } from "./webhook.js";

/** What runs beside the calls. It does not keep the process alive. */
export class Worker {
    readonly #native: NativeWorker;

    /** @internal */
    constructor(native: NativeWorker) {
        this.#native = native;
    }

    /** Takes no more jobs, and waits for those that run. */
    stop(): Promise<void> {
        return crossing(() => this.#native.stop());
    }

    /** Stops it at the end of an `await using`. */
    [Symbol.asyncDispose](): Promise<void> {
        return this.stop();
    }
}

/** A CRM whose methods wait on the caller's thread. */
export interface BlockingCrm extends CrmBlocking {
    /** A session of a user. */
    session(tenant: string, user: string): Session;
}

class Waiting extends CrmNamespaces {
    readonly session: (tenant: string, user: string) => Session;

    constructor(native: NativeCrm, awaited: Awaited) {
        super(new BlockingCaller(native));
        this.session = (tenant, user) => {
            try {
                return new Session(native.sessionBlocking(String(tenant), String(user)), awaited);
            } catch (error) {
                throw crmError(error);
            }
        };
    }
}

/** The CRM in this process. */
export class Crm extends CrmNamespaces {
    readonly #native: NativeCrm;
    readonly #awaited: Awaited;
    readonly #workers: Worker[] = [];
    #blocking: BlockingCrm | undefined;

    private constructor(native: NativeCrm, awaited: Awaited) {
        super(new AsyncCaller(native, awaited));
        this.#native = native;
        this.#awaited = awaited;
    }

    /** Opens the CRM. `invalid` for an option that is none; `unavailable` where the database cannot be reached. */
    static async open(options: Opening & Ports): Promise<Crm> {
        const { rest, hosts, serve } = offered(options);
        const asked = written("crm.open", false, {}, undefined, rest, ofOpening);
        return new Crm(await crossing(() => native.open(asked, hosts, serve)), new Awaited());
    }

    /** A session of a user. `unauthenticated` where there is none who may work. */
    session(tenant: string, user: string): Promise<Session> {
        return this.#begin(() => this.#native.session(String(tenant), String(user)));
    }

    /** A session of the host itself, who may do everything in the tenant. `not_found`. */
    operator(tenant: string): Promise<Session> {
        return this.#begin(() => this.#native.operator(String(tenant)));
    }

    /** A session of who presents an access token or an API key. `unauthenticated`. */
    authenticate(bearer: string): Promise<Session> {
        return this.#begin(() => this.#native.authenticate(String(bearer)));
    }

    async #begin(begin: () => ReturnType<NativeCrm["session"]>): Promise<Session> {
        return new Session(await crossing(() => this.#awaited.track(begin())), this.#awaited);
    }

    /** The operations of the host, each of which waits on the caller's thread. */
    get blocking(): BlockingCrm {
        return (this.#blocking ??= new Waiting(this.#native, this.#awaited) as unknown as BlockingCrm);
    }

    /** Runs jobs (calls, notifications, chores) and hears what other processes change, until it is stopped. */
    startWorker(options: { atOnce?: number } = {}): Worker {
        return this.#start(true, options.atOnce);
    }

    /** Hears what other processes change, so that events of theirs come at once; a worker does so, too. */
    startRelay(): Worker {
        return this.#start(false, undefined);
    }

    #start(jobs: boolean, atOnce: number | undefined): Worker {
        try {
            const worker = new Worker(this.#native.start(jobs, atOnce));
            this.#workers.push(worker);
            return worker;
        } catch (error) {
            throw crmError(error);
        }
    }

    /**
     * The HTTP API for a server of this process: `createServer(crm.handler({ prefix: "/crm" }))`. It hears what other
     * processes change, and runs no jobs. `invalid` for an option that is none.
     */
    handler(options: HandlerOptions = {}): Handler {
        const { prefix, ...rest } = options;
        const said = prefix === undefined ? undefined : prefixOf(prefix);
        const asked = written("crm.handler", false, {}, undefined, rest, ofMounting);
        try {
            return handler(this.#native.mount(asked), this.#awaited, said);
        } catch (error) {
            throw crmError(error);
        }
    }

    /**
     * Hands in a request that a carrier has sent, and gives what to answer it. It is verified and read by the carrier of
     * this provider, `twilio` or one of `telephony` when the CRM was opened, and what it says of a call is kept, once,
     * whatever the order in which requests come and however often. `not_found` for a provider that is none, `forbidden`
     * where the carrier has not sent it, `malformed`; after `unavailable` and `internal` let the carrier send it again.
     */
    async webhook(provider: string, request: WebhookRequest): Promise<WebhookReply> {
        const [head, body] = handedIn(provider, request);
        return JSON.parse(await crossing(() => this.#awaited.track(this.#native.webhook(head, body))));
    }

    /** Whether the database answers. `unavailable` where it does not. */
    check(): Promise<void> {
        return crossing(() => this.#native.check());
    }

    /** Refuses what comes from now on, ends what follows events, and waits for what was begun. */
    async close(): Promise<void> {
        this.#native.close();
        await Promise.all(this.#workers.splice(0).map((worker) => worker.stop()));
        await this.#awaited.idle();
    }

    /** Closes it at the end of an `await using`. */
    [Symbol.asyncDispose](): Promise<void> {
        return this.close();
    }
}
