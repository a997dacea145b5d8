// Twilio's Node SDK: signs webhooks and makes a call, as stdin says in JSON; answers on stdout.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const twilio = createRequire(process.argv[2])("twilio");

// Several values of one name as the SDK takes them from a web framework.
function valuesOf(pairs) {
  const values = {};
  for (const [name, value] of pairs) {
    values[name] = name in values ? [values[name], value].flat() : value;
  }
  return values;
}

function client(order) {
  const made = twilio(order.user, order.password, { accountSid: order.account });
  made.api.baseUrl = order.base;
  return made;
}

const deeds = {
  sign: ({ token, webhooks }) =>
    webhooks.map(([url, pairs]) => twilio.getExpectedTwilioSignature(token, url, valuesOf(pairs))),
  create: async (order) => {
    const fields = order.call;
    const call = await client(order).calls.create({
      to: fields.To,
      from: fields.From,
      twiml: fields.Twiml,
      timeout: Number(fields.Timeout),
      machineDetection: fields.MachineDetection,
      record: true,
      recordingChannels: fields.RecordingChannels,
      statusCallback: fields.StatusCallback,
      statusCallbackMethod: "POST",
      statusCallbackEvent: fields.StatusCallbackEvent,
      recordingStatusCallback: fields.RecordingStatusCallback,
      recordingStatusCallbackMethod: "POST",
      recordingStatusCallbackEvent: fields.RecordingStatusCallbackEvent,
    });
    return call.sid;
  },
  hang_up: async (order) => (await client(order).calls(order.call).update({ status: "completed" })).status,
};

const order = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(await deeds[order.do](order)));
