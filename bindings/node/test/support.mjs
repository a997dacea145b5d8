// A CRM in memory with tenants in it.

import { Crm } from "crm-core";

let tenants = 0;

export async function opened(t, options = {}) {
    const crm = await Crm.open({ database: "sqlite::memory:", ...options });
    t.after(() => crm.close());
    return crm;
}

export async function member(crm) {
    tenants += 1;
    const slug = `tenant-${process.pid}-${tenants}`;
    const made = await crm.tenants.create({
        name: "Acme", slug, defaultRegion: "US", ownerEmail: `owner@${slug}.example`, ownerName: "Olga Owner",
    });
    return { ...made, session: await crm.session(made.tenant.id, made.owner.id) };
}

export async function session(t) {
    return (await member(await opened(t))).session;
}

/** The error of `work`, which has to fail. */
export async function failure(work) {
    try {
        await work();
    } catch (error) {
        return error;
    }
    throw new Error("it did not fail");
}
