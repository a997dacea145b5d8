// One and the same module for `import` and `require`, so that there is one class of errors.
import crm from "./dist/index.js";

export const { Batch, Contacts, Calls, Crm, CrmError, Events, Recording, Session, Worker } = crm;
export default crm;
