"""Twilio's Python SDK: signs webhooks, reads TwiML and makes a call, as stdin says in JSON; answers on stdout."""

import json
import sys
import xml.etree.ElementTree as ElementTree

from twilio.request_validator import RequestValidator
from twilio.rest import Client


class Form(dict):
    """Several values of one name as web frameworks hand them to the SDK."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.pairs = pairs

    def getall(self, name):
        return [value for own, value in self.pairs if own == name]


def sign(order):
    validator = RequestValidator(order["token"])
    return [validator.compute_signature(url, Form(pairs)) for url, pairs in order["webhooks"]]


def create(order):
    client = Client(order["user"], order["password"], order["account"])
    client.api.base_url = order["base"]
    fields = order["call"]
    call = client.calls.create(
        to=fields["To"],
        from_=fields["From"],
        twiml=fields["Twiml"],
        timeout=int(fields["Timeout"]),
        machine_detection=fields["MachineDetection"],
        record=True,
        recording_channels=fields["RecordingChannels"],
        status_callback=fields["StatusCallback"],
        status_callback_method="POST",
        status_callback_event=fields["StatusCallbackEvent"],
        recording_status_callback=fields["RecordingStatusCallback"],
        recording_status_callback_method="POST",
        recording_status_callback_event=fields["RecordingStatusCallbackEvent"],
    )
    return call.sid


def hang_up(order):
    client = Client(order["user"], order["password"], order["account"])
    client.api.base_url = order["base"]
    return client.calls(order["call"]).update(status="completed").status


def xml(order):
    """Each element's name, attributes and text, outermost first."""
    root = ElementTree.fromstring(order["document"].encode())
    return [[element.tag, element.attrib, element.text or ""] for element in root.iter()]


order = json.load(sys.stdin)
json.dump({"sign": sign, "create": create, "hang_up": hang_up, "xml": xml}[order["do"]](order), sys.stdout)
