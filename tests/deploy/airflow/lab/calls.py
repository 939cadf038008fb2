"""Who called what: every request to this AWS, with the role whose session signed it."""

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.responses import BaseResponse
from moto.sts.models import sts_backends


def record(events) -> None:
    plain = BaseResponse.call_action

    def call_action(self):
        key = self.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        events(
            "call", action=f"{self.service_name}:{self._get_action()}", role=role_of(key), key=key
        )
        return plain(self)

    BaseResponse.call_action = call_action


def role_of(key: str) -> str | None:
    """The ARN of the role that was assumed for this access key; None for a key of another kind."""
    assumed = sts_backends[DEFAULT_ACCOUNT_ID]["aws"].get_assumed_role_from_access_key(key)
    return assumed.role_arn if assumed else None
