"""Every error that reaches a person: its code, HTTP status and WebSocket close code, in one catalogue.

A message is one clear sentence and says what to do. Anything outside this tree is a bug: logged in full,
told to nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class GatewayError(Exception):
    """An error that a caller is told about. Subclasses fix the code and the statuses."""

    code = "internal_error"
    http_status = 500
    type = "server_error"
    """The class of error in OpenAI's envelope."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """*headers* go with the answer, beside those that follow from the rest."""
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.headers: Mapping[str, str] = headers or {}

    def envelope(self, request_id: str) -> dict[str, object]:
        """The body that every surface answers with; OpenAI's shape and one field more."""
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "requestId": request_id,
            }
        }


class InvalidRequest(GatewayError):
    """The request cannot be what its sender meant."""

    code, http_status, type = "invalid_request", 400, "invalid_request_error"


class InvalidType(InvalidRequest):
    """A field has a value of another shape, such as a text where an object belongs."""

    code = "invalid_type"


class SignInExpired(InvalidRequest):
    """A sign-in at an identity provider was begun in another browser, too long ago, or was finished already."""

    code = "sign_in_expired"


class UnknownModel(InvalidRequest):
    """No configured upstream offers the model."""

    code = "model_not_found"


class InvalidImage(InvalidRequest):
    """The reference image cannot be used, or cannot be had from where it is said to be."""

    code = "invalid_image"


class UnsupportedByUpstream(InvalidRequest):
    """The upstream that makes the video has no such operation."""

    code = "unsupported_by_upstream"


class UnknownHost(InvalidRequest):
    """The request is addressed to a host that the gateway does not go by: ``server.allowed_hosts``."""

    code = "unknown_host"


class CredentialInUrl(InvalidRequest):
    """A key or token in the address, where logs and histories keep it."""

    code = "credential_in_url"


class NotAuthenticated(GatewayError):
    """No credential, or one that is no longer good."""

    code, http_status, type = "not_authenticated", 401, "authentication_error"


class InvalidApiKey(NotAuthenticated):
    """The key in the Authorization header is not good (any more); OpenAI's clients know it by this code."""

    code = "invalid_api_key"


class InsufficientCredits(GatewayError):
    """The balance does not cover the price."""

    code, http_status, type = "insufficient_credits", 402, "insufficient_quota"


class Forbidden(GatewayError):
    """The caller's role does not allow it."""

    code, http_status, type = "forbidden", 403, "permission_error"


class ScopeMissing(Forbidden):
    """The API key is not meant for this."""

    code = "scope_missing"


class FreshLoginNeeded(Forbidden):
    """What an administrator changes, a first password and linked identities need a session that began a short time ago."""

    code = "fresh_login_needed"


class InvalidSignature(Forbidden):
    """The signed address of a file has expired, was changed, or was signed with a key that was dropped since."""

    code = "invalid_signature"


class PlanForbids(Forbidden):
    """The caller's plan does not let them have videos made."""

    code = "plan_forbids"


class CrossOrigin(Forbidden):
    """A page of another origin tried to act in a signed-in person's name."""

    code = "cross_origin"


class InsecureConnection(Forbidden):
    """Signing in over plain HTTP from another machine: anybody in between could read the session."""

    code = "insecure_connection"


class SignInRefused(Forbidden):
    """The identity provider let nobody sign in: it was cancelled there, or is not allowed."""

    code = "sign_in_refused"


class AddressNotVerified(Forbidden):
    """The identity provider does not vouch for an e-mail address of whoever signed in."""

    code = "address_not_verified"


class NotAdmitted(Forbidden):
    """Whoever signed in elsewhere is not known here: neither invited nor of an allowed domain."""

    code = "not_admitted"


class WrongPassword(Forbidden):
    """Whoever is signed in does not know the account's password."""

    code = "wrong_password"


class AccountDisabled(Forbidden):
    """The account was disabled by an administrator."""

    code = "account_disabled"


class NotFound(GatewayError):
    """It does not exist, or it is not the caller's: the answer is the same."""

    code, http_status, type = "not_found", 404, "invalid_request_error"


class ModelNotFound(NotFound):
    """There is no model of that name to look at."""

    code = "model_not_found"


class MethodNotAllowed(GatewayError):
    """The address exists, and does not take that method."""

    code, http_status, type = "method_not_allowed", 405, "invalid_request_error"


class RequestTimeout(GatewayError):
    """The request did not arrive in time."""

    code, http_status, type = "request_timeout", 408, "invalid_request_error"


class Conflict(GatewayError):
    """The thing is in a state that does not allow it."""

    code, http_status, type = "conflict", 409, "invalid_request_error"


class NotFinished(Conflict):
    """Deleting is for ended jobs."""

    code = "not_finished"


class IdempotencyMismatch(Conflict):
    """The idempotency key was used for another request."""

    code = "idempotency_mismatch"


class NotReady(Conflict):
    """The file is not there yet."""

    code = "not_ready"


class AlreadyEnded(Conflict):
    """There is nothing left to cancel."""

    code = "already_ended"


class AccountExists(Conflict):
    """The address has an account already, which a sign-in elsewhere does not take over."""

    code = "account_exists"


class IdentityTaken(Conflict):
    """The identity belongs to another account."""

    code = "identity_taken"


class LastSignIn(Conflict):
    """It is the only way in which its owner can sign in."""

    code = "last_sign_in"


class Gone(GatewayError):
    """The job is known, its file is not kept any more."""

    code, http_status, type = "gone", 410, "invalid_request_error"


class TooLarge(GatewayError):
    """The request body is larger than ``server.max_body`` or, where files are taken, ``server.max_upload``."""

    code, http_status, type = "too_large", 413, "invalid_request_error"


class UnsupportedMediaType(GatewayError):
    """The body is not declared as JSON (or, where it may be one, a form)."""

    code, http_status, type = "unsupported_media_type", 415, "invalid_request_error"


class RangeNotSatisfiable(GatewayError):
    """The part of a file that was asked for lies beyond its end."""

    code, http_status, type = "range_not_satisfiable", 416, "invalid_request_error"


class TooManyRequests(GatewayError):
    """More than is allowed in so much time; the answer says when to come back."""

    code, http_status, type = "rate_limited", 429, "rate_limit_error"


class PlanLimit(TooManyRequests):
    """The caller's plan allows no more videos in an hour or a day; the answer says when it does."""

    code, type = "plan_limit", "insufficient_quota"


class LiveLimit(TooManyRequests):
    """There are as many live connections as there may be; over a WebSocket this is the close code 1013."""

    code = "too_many_connections"

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after=10)


class DailyCreditsUsed(PlanLimit):
    """The caller's plan allows no more credits in a day; the answer says when it does."""

    code = "daily_credits_used"


class OutcomeUnknown(GatewayError):
    """The upstream was asked for something and its answer was lost: it is not asked again by itself."""

    code, http_status = "outcome_unknown", 502


class ProviderFailed(GatewayError):
    """The identity provider answered, and its answer proves nothing."""

    code, http_status = "provider_failed", 502


class Unavailable(GatewayError):
    """The gateway is starting, stopping, or overloaded."""

    code, http_status = "unavailable", 503


class ProviderUnavailable(Unavailable):
    """The identity provider cannot be reached, or is too slow."""

    code = "provider_unavailable"


class StorageFull(GatewayError):
    """The disk is full: nothing new is taken, what is stored stays readable."""

    code, http_status = "storage_full", 507


class StorageFailed(GatewayError):
    """The database could not commit; nothing of the request was kept."""

    code, http_status = "storage_failed", 503


class StartupError(Exception):
    """The gateway cannot start, or a command cannot run; the text says why and what to do."""


class CloseCode(IntEnum):
    """WebSocket close codes: what each means, and what a client does. 4000-4399: come back. 4400-4499: do not.

    The tables in docs/errors.md and docs/live.md are made of these lines.
    """

    NORMAL = 1000
    """The client has ended it. Nothing."""
    GOING_AWAY = 1001
    """A browser's page or a server in between goes away. Reconnect with the cursor."""
    BAD_MESSAGE = 1008
    """A message was none of the protocol's; the reason says which part. Stop: it would happen again."""
    TOO_BIG = 1009
    """A message had more than `realtime.max_message` bytes. Stop."""
    RESTARTING = 1012
    """The gateway restarts. Reconnect after a random second or two, with the cursor."""
    LIMIT_REACHED = 1013
    """There are as many live connections as there may be: in all, of one person, or from one address. Back off."""
    TOO_SLOW = 4000
    """The client reads too slowly. Reconnect with the cursor."""
    EXPIRED = 4001
    """The credential has ended by itself: an API key or session expired, or a session rested too long. Renew it, reconnect with the cursor."""
    RESYNC = 4002
    """What the connection follows has to be decided anew. Reconnect without a cursor."""
    TOO_MANY_MESSAGES = 4003
    """More messages in a second than `realtime.messages_per_second`. Back off."""
    NOT_AUTHENTICATED = 4401
    """No credential within ten seconds, or one that is not good. Stop and sign in."""
    FORBIDDEN = 4403
    """The credential was revoked while the connection was open, or is not for this. Stop and sign in."""
