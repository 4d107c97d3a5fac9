"""Webhook notifications: a POST of JSON to the notification's address.

The receiver gets the delivery id in the header `X-Gennaker-Delivery` (the same for a repeat, which also has
`X-Gennaker-Repeat: true`) and in the body, and can drop what it already has.
"""

from gennaker.interfaces.notifiers import Message, Unanswered, Undelivered
from gennaker.interfaces.services import Services
from gennaker.model.codec import encode
from gennaker.transport.http import AddressRefused, GuardedClient, HttpFailure, NoAnswer

_OK = range(200, 300)


class WebhookNotifier:
    """POSTs messages; private and loopback addresses only where settings allow them."""

    def __init__(self, client: GuardedClient) -> None:
        """The client holds the rules of which addresses may be called."""
        self._client = client

    @property
    def type(self) -> str:
        """Notification type."""
        return "webhook"

    async def send(self, message: Message) -> None:
        """Returns when the receiver has answered 2xx."""
        headers = {"Content-Type": "application/json", "X-Gennaker-Delivery": message.delivery_id}
        if message.is_repeat:
            headers["X-Gennaker-Repeat"] = "true"
        body = encode(
            {
                "deliveryId": message.delivery_id,
                "moment": message.moment,
                "subject": message.subject,
                "text": message.text,
                "link": message.link,
                "facts": message.facts,
            }
        )
        try:
            answer = await self._client.request("POST", message.address, headers=headers, body=body)
        except AddressRefused as error:
            raise Undelivered(f"{error} Allow it with the setting webhook-hosts.") from error
        except NoAnswer as error:
            raise (Unanswered if error.was_sent else Undelivered)(str(error)) from error
        except HttpFailure as error:
            raise Undelivered(str(error)) from error
        if answer.status not in _OK:
            raise Undelivered(f"{message.address} answered {answer.status}.")


def notifier(services: Services) -> WebhookNotifier:
    """The notifier with the allowed addresses of the settings."""
    return WebhookNotifier(GuardedClient(allowed=services.settings.webhook_hosts))
