"""What an identity provider signs: ID tokens (OpenID Connect Core 1.0, 3.1.3.7), checked with joserfc."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sora_gateway.accounts.address import MAX_ADDRESS, normal_address

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, RSAKey

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures with a private key only: with HMAC, a provider's public key would be a password that everybody knows."""

LEEWAY = 60
"""Seconds that the provider's clock may be off."""

_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_PUBLIC = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y")}
"""The fields of a public key, by its kind; whatever else is in a key set is left alone."""
_MIN_RSA_BITS = 2048
_ADDRESS = re.compile(r"[^@\s]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+", re.ASCII)

Jwk = Mapping[str, Any]


class TokenRefused(Exception):
    """The token proves nothing. The text is for the operator's log; it has nothing of the token in it."""


class KeyUnknown(TokenRefused):
    """No key that was given made the signature; the provider may have new ones."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say: who made it, for whom, and for which sign-in."""

    issuer: str
    client_id: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Assertion:
    """What the provider says of somebody. *email* is in lower case, and None unless the provider has verified it;
    *hosted_domain* is Google's word for the organisation that an account belongs to."""

    subject: str
    email: str | None
    hosted_domain: str | None


def verified(token: str, keys: Sequence[Jwk], expected: Expected, now: float) -> Assertion:
    """What *token* says, once everything about it is right. *keys* are the provider's, *now* is wall time.

    Raises:
        KeyUnknown: none of *keys* made the signature, although the token is signed in a way that we take.
        TokenRefused: anything else is wrong.
    """
    claims = _signed_claims(token, keys)
    _check(claims, expected, int(now))
    subject = claims["sub"]
    if not 1 <= len(subject) <= 255 or not subject.isprintable():
        raise TokenRefused("its subject is no id")
    hosted = claims.get("hd")
    return Assertion(subject, _address(claims), hosted.lower() if isinstance(hosted, str) else None)


def _signed_claims(token: str, keys: Sequence[Jwk]) -> dict[str, Any]:
    from joserfc import jws
    from joserfc.errors import JoseError

    # Header fields that we do not know are no fault, unless they are marked as critical.
    registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    try:
        signed = jws.extract_compact(token.encode("ascii"), registry=registry)
        header = signed.headers()
        if not isinstance(header, dict):
            raise TokenRefused("it cannot be read")
        registry.check_header(header)
        registry.get_alg(header["alg"])
        if not any(jws.validate_compact(signed, key, registry=registry) for key in _candidates(keys, header)):
            if header.get("kid") is None:
                raise KeyUnknown("no key of the provider made its signature")
            raise TokenRefused("its signature is wrong")
        claims = json.loads(signed.payload or b"")
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise TokenRefused(f"it cannot be read ({type(error).__name__})") from None
    if not isinstance(claims, dict):
        raise TokenRefused("it holds no claims")
    return claims


def _candidates(keys: Sequence[Jwk], header: Mapping[str, Any]) -> list[RSAKey | ECKey]:
    """The keys that may have signed what has this *header*."""
    kid, alg = header.get("kid"), header["alg"]
    kind = "EC" if alg.startswith("ES") else "RSA"
    named = [key for key in keys if kid is None or key.get("kid") == kid]
    if not named:
        raise KeyUnknown("the key that it names is not among the provider's")
    fitting = [
        key
        for key in named
        if (key.get("kty"), key.get("crv")) == (kind, _CURVES.get(alg))
        and key.get("use", "sig") == "sig"
        and key.get("alg", alg) == alg
    ]
    usable = [usable for key in fitting if (usable := _imported(key)) is not None]
    if not usable:
        raise TokenRefused("the key that it names is not for such signatures")
    return usable


def _imported(key: Jwk) -> RSAKey | ECKey | None:
    """The public part of *key*; None for one that is damaged or weak."""
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, RSAKey

    try:
        public: dict[str, str | list[str]] = {name: str(key[name]) for name in _PUBLIC[key["kty"]]}
        if key["kty"] == "EC":
            return ECKey.import_key(public)
        modulus = base64.urlsafe_b64decode(f"{public['n']}===")
        return RSAKey.import_key(public) if len(modulus) * 8 >= _MIN_RSA_BITS else None
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _check(claims: Mapping[str, Any], expected: Expected, now: int) -> None:
    """Raises TokenRefused unless the token is from whom, for whom, for what and of when it must be."""
    from joserfc.errors import JoseError
    from joserfc.jwt import JWTClaimsRegistry

    rules = JWTClaimsRegistry(
        now,
        LEEWAY,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        rules.validate(dict(claims))
    except JoseError as error:
        raise TokenRefused(f"a claim is wrong ({error})") from None
    # By hand: the registry would let a list that has the value among others pass.
    if claims.get("nonce") != expected.nonce:
        raise TokenRefused("its nonce is another's")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else expected.client_id) != expected.client_id:
        raise TokenRefused("it was made for another client (azp)")


def _address(claims: Mapping[str, Any]) -> str | None:
    """The verified address. Text that says "true" is no truth value, and is not believed."""
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return None
    if email != email.strip():
        return None
    email = normal_address(email)
    return email if _ADDRESS.fullmatch(email) and email.isprintable() and len(email) <= MAX_ADDRESS else None
