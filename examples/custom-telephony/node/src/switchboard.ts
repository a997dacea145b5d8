// The telephone system of an office, in its own words. It stands for whatever you have: its library, or a client of its
// API. It cannot call us, so its news are fetched.

/** What happens on a line. */
export type Happening = "dialled" | "ringing" | "answered" | "ended" | "given up";

/** Something that has happened, and when. */
export interface Step {
    readonly happening: Happening;
    readonly at: Date;
}

/** After how many seconds what happens: each is answered, and talks for ten seconds. */
const COURSE: readonly (readonly [Happening, number])[] = [["dialled", 0], ["ringing", 2], ["answered", 5], ["ended", 15]];

/** There is no line of this number. */
export class NoSuchLine extends Error {}

/** What is dialled. */
export interface Dialled {
    readonly owner: string;
    /** The owner's, which reports are signed with. */
    readonly password: string;
    readonly caller: string;
    readonly called: string;
    readonly taped: boolean;
    readonly reportTo: string;
}

/** A line, from one number to another. */
export class Line {
    taped: boolean;
    reported = 0;
    #hungUpAt: Date | undefined;

    constructor(
        readonly number: number,
        readonly dialled: Dialled,
        readonly dialledAt: Date,
    ) {
        this.taped = dialled.taped;
    }

    /** What has happened by now. */
    steps(now: Date): Step[] {
        const end = this.#hungUpAt ?? now;
        const course = COURSE.map(([happening, after]) => ({ happening, at: new Date(this.dialledAt.getTime() + after * 1000) }));
        const steps: Step[] = course.filter(({ at }) => at <= end);
        if (this.#hungUpAt !== undefined) {
            const answered = steps.some(({ happening }) => happening === "answered");
            steps.push({ happening: answered ? "ended" : "given up", at: this.#hungUpAt });
        }
        return steps;
    }

    /** For how many seconds they have talked, once it is over. */
    talked(now: Date): number | null {
        const at = new Map(this.steps(now).map((step) => [step.happening, step.at.getTime()]));
        const [begun, ended] = [at.get("answered"), at.get("ended")];
        return begun === undefined || ended === undefined ? null : Math.floor((ended - begun) / 1000);
    }

    /** Hangs up, where somebody still is on the line. */
    hangUp(now: Date): void {
        if (!this.steps(now).some(({ happening }) => happening === "ended" || happening === "given up")) {
            this.#hungUpAt = now;
        }
    }
}

/** The telephone system. */
export class Switchboard {
    readonly now: () => Date;
    readonly #lines: Line[] = [];

    constructor(now: () => Date = () => new Date()) {
        this.now = now;
    }

    async dial(dialled: Dialled): Promise<Line> {
        const line = new Line(this.#lines.length + 1, dialled, this.now());
        this.#lines.push(line);
        return line;
    }

    /** The owner's lines. */
    async lines(owner: string): Promise<Line[]> {
        return this.#lines.filter((line) => line.dialled.owner === owner);
    }

    /** One of them. `NoSuchLine`. */
    async line(owner: string, number: number): Promise<Line> {
        const line = (await this.lines(owner)).find((line) => line.number === number);
        if (line === undefined) {
            throw new NoSuchLine(`no line ${number}`);
        }
        return line;
    }

    async hangUp(line: Line): Promise<void> {
        line.hangUp(this.now());
    }

    /** What was said: a second of silence for each second, 8,000 samples of mu-law. */
    async tape(line: Line): Promise<Buffer> {
        return Buffer.alloc(8000 * (line.talked(this.now()) ?? 0), 0xff);
    }

    async eraseTape(line: Line): Promise<void> {
        line.taped = false;
    }

    /** What has happened and was not reported yet, with its place on the line. */
    *reports(now: Date): Generator<{ line: Line; place: number; step: Step }> {
        for (const line of this.#lines) {
            for (const [place, step] of line.steps(now).entries()) {
                if (place >= line.reported) {
                    line.reported = place + 1;
                    yield { line, place, step };
                }
            }
        }
    }
}
