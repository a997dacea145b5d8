// What is given to an operation, as JSON in the names of the core.

import { CrmError, refused } from "./errors.js";

/** How names are written, and what is in the values; names that are in no table stay as they are. */
export interface Shape {
    readonly [name: string]: readonly [string] | readonly [string, Shape];
}

const DEEPEST = 64;

/** The text for arguments and the fields beside them. */
export function written(
    operation: string,
    choose: boolean,
    args: object,
    nested: Shape | undefined,
    fields: unknown,
    shape: Shape,
): string {
    const writer = new Writer(operation, choose);
    try {
        const out: Record<string, unknown> = Object.create(null);
        for (const [name, value] of Object.entries(args)) {
            if (value !== undefined) {
                const table = nested?.[name]?.[1];
                out[name] = writer.plain(value, camel(name), table, 0);
            }
        }
        if (fields !== undefined && fields !== null) {
            if (typeof fields !== "object" || Array.isArray(fields)) {
                throw refused(operation, "", "invalid_value", "what is given is an object with fields");
            }
            writer.into(out, fields, "", shape, 0);
        }
        return JSON.stringify(out);
    } catch (error) {
        if (error instanceof CrmError) {
            throw error;
        }
        // A getter or a proxy of the host's has thrown, or the text is longer than a string can be.
        throw new CrmError({ code: "invalid", operation, message: "what is given cannot be read", cause: error });
    }
}

const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

class Writer {
    readonly #operation: string;
    readonly #choose: boolean;
    readonly #within: object[] = [];

    constructor(operation: string, choose: boolean) {
        this.#operation = operation;
        this.#choose = choose;
    }

    plain(value: unknown, path: string, shape: Shape | undefined, depth: number): unknown {
        switch (typeof value) {
            case "string":
                if (!value.isWellFormed()) {
                    throw this.#refused(path, "text with half of a surrogate pair");
                }
                return value;
            case "number":
                if (!Number.isFinite(value)) {
                    throw this.#refused(path, `${value} is no number that can be kept`);
                }
                return value;
            case "boolean":
                return value;
            case "bigint":
                if (BigInt.asIntN(53, value) !== value) {
                    throw this.#refused(path, "the number is too large");
                }
                return Number(value);
            case "object":
                return value === null ? null : this.#object(value, path, shape, depth);
            case "undefined":
            case "function":
            case "symbol":
                throw this.#refused(path, `a value of type ${typeof value} cannot be kept`);
        }
    }

    #object(value: object, path: string, shape: Shape | undefined, depth: number): unknown {
        if (value instanceof Date) {
            if (Number.isNaN(value.getTime())) {
                throw this.#refused(path, "an invalid date");
            }
            return value.toISOString();
        }
        if (depth > DEEPEST || this.#within.includes(value)) {
            throw this.#refused(path, "it holds itself, or is nested too deeply");
        }
        this.#within.push(value);
        let out: unknown;
        if (Array.isArray(value)) {
            out = Array.from(value, (item, at) => this.plain(item, `${path}[${at}]`, shape, depth + 1));
        } else {
            const kind = Object.prototype.toString.call(value);
            if (kind !== "[object Object]") {
                throw this.#refused(path, `a value of type ${kind.slice(8, -1)} cannot be kept`);
            }
            out = this.into(Object.create(null), value, path, shape, depth);
        }
        this.#within.pop();
        return out;
    }

    into(out: Record<string, unknown>, from: object, path: string, shape: Shape | undefined, depth: number): unknown {
        for (const [name, value] of Object.entries(from)) {
            if (value === undefined) {
                continue;
            }
            const place = path === "" ? name : `${path}.${name}`;
            if (!name.isWellFormed()) {
                throw this.#refused(place.toWellFormed(), "a name with half of a surrogate pair");
            }
            const known = shape && Object.hasOwn(shape, name) ? shape[name] : undefined;
            if (shape && !known) {
                throw this.#unknown(place);
            }
            out[known ? known[0] : name] = this.plain(value, place, known?.[1], depth + 1);
        }
        return out;
    }

    #refused(path: string, message: string): CrmError {
        return refused(this.#operation, path, "invalid_value", `\`${path}\`: ${message}`);
    }

    #unknown(path: string): CrmError {
        const message = `unknown field \`${path}\``;
        return this.#choose
            ? new CrmError({ code: "unknown_parameter", operation: this.#operation, message })
            : refused(this.#operation, path, "unknown_field", message);
    }
}
