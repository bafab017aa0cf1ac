"""What an ID token must say before anybody is believed to be somebody."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.registry import HeaderParameter

from sora_gateway.accounts.oidc_tokens import (
    ALGORITHMS,
    LEEWAY,
    Assertion,
    Expected,
    KeyUnknown,
    TokenRefused,
    verified,
)
from tests.fake_provider import ec_key, rsa_key, signed, signed_with_the_public_key, unsigned

NOW = 1_800_000_000
EXPECTED = Expected("https://id.example", "gateway", "n-1")
CLAIMS: dict[str, Any] = {
    "iss": "https://id.example", "aud": "gateway", "nonce": "n-1", "sub": "248289", "iat": NOW, "exp": NOW + 300,
    "email": "Dora@Example.org", "email_verified": True, "hd": "Example.ORG",
}  # fmt: skip


def public(*keys: RSAKey | ECKey) -> list[dict[str, Any]]:
    return [dict(key.as_dict(private=False)) for key in keys]


def token(key: RSAKey | ECKey | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
    key = key or rsa_key("first")
    return signed(CLAIMS | claims, key, {"alg": "RS256", "kid": key.kid} | (header or {}))


def check(text: str, *keys: RSAKey | ECKey) -> Assertion:
    return verified(text, public(*(keys or (rsa_key("first"),))), EXPECTED, NOW)


def works(text: str, *keys: RSAKey | ECKey) -> None:
    assert check(text, *keys).subject == "248289"


def test_a_good_token_says_who_it_is_in_small_letters() -> None:
    assert check(token()) == Assertion("248289", "dora@example.org", "example.org")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_that_is_taken_works(algorithm: str) -> None:
    curve = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}.get(algorithm)
    key: RSAKey | ECKey = (
        RSAKey.import_key(rsa_key("first").as_dict(private=True, alg=algorithm) | {"kid": "k"})
        if curve is None
        else ECKey.generate_key(curve, {"kid": "k"})
    )
    assert check(token(key, {"alg": algorithm}), key).subject == "248289"


WRONG: dict[str, dict[str, Any]] = {
    "another's issuer": {"iss": "https://id.example/"},
    "no issuer": {"iss": None},
    "issuers": {"iss": ["https://id.example"]},
    "another's audience": {"aud": "gateway2"},
    "no audience": {"aud": None},
    "an empty audience": {"aud": []},
    "audiences without ours": {"aud": ["a", "b"]},
    "several audiences, and nothing to say which": {"aud": ["gateway", "b"]},
    "several audiences, for another": {"aud": ["gateway", "b"], "azp": "b"},
    "for another client": {"azp": "b"},
    "an object as audience": {"aud": {"gateway": 1}},
    "another's nonce": {"nonce": "n-2"},
    "no nonce": {"nonce": None},
    "nonces": {"nonce": ["n-1"]},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a number as subject": {"sub": 248289},
    "a long subject": {"sub": "s" * 256},
    "a subject of two lines": {"sub": "a\nb"},
    "expired": {"exp": NOW - LEEWAY},
    "no expiry": {"exp": None},
    "text as expiry": {"exp": str(NOW + 300)},
    "an expiry that is none": {"exp": float("nan")},
    "a truth value as expiry": {"exp": True},
    "not yet": {"nbf": NOW + LEEWAY + 1},
    "from the future": {"iat": NOW + LEEWAY + 1},
    "no time of issue": {"iat": None},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_claim_that_is_wrong_proves_nothing(what: str) -> None:
    with pytest.raises(TokenRefused) as caught:
        check(token(**WRONG[what]))
    assert not isinstance(caught.value, KeyUnknown)
    assert "248289" not in str(caught.value)


def test_a_clock_may_be_a_minute_off_and_several_audiences_need_azp() -> None:
    works(token(exp=NOW - LEEWAY + 1, iat=NOW + LEEWAY))
    works(token(aud=["gateway"]))
    works(token(aud=["gateway", "b"], azp="gateway"))


@pytest.mark.parametrize(
    "said",
    [
        {"email_verified": False}, {"email_verified": None}, {"email_verified": "true"}, {"email_verified": 1},
        {"email": None}, {"email": 7}, {"email": ""}, {"email": "dora"}, {"email": "@example.org"},
        {"email": "dora@example"}, {"email": "dora@example.org."}, {"email": "dora@exämple.org"},
        {"email": "do ra@example.org"}, {"email": "dora@example.org\n"}, {"email": "dora@evil.example@example.org"},
        {"email": f"{'d' * 65}@example.org"}, {"email": f"d@{'e' * 60}.{'e' * 60}.{'e' * 60}.{'e' * 60}.{'e' * 60}"},
    ],
)  # fmt: skip
def test_an_address_that_is_none_or_not_vouched_for_is_no_address(said: dict[str, Any]) -> None:
    assert check(token(**said)) == Assertion("248289", None, "example.org")


# --- signatures --------------------------------------------------------------------------------------


def test_neither_none_nor_a_shared_secret_is_a_signature() -> None:
    for text in (unsigned(token()), signed_with_the_public_key(token())):
        with pytest.raises(TokenRefused):
            check(text)
    # Not even when the provider publishes the secret as a key.
    shared = OctKey.generate_key(256, {"kid": "first"})
    text = signed(CLAIMS, shared, {"alg": "HS256", "kid": "first"})
    with pytest.raises(TokenRefused):
        verified(text, [dict(shared.as_dict(private=True))], EXPECTED, NOW)


def test_only_a_key_that_may_sign_so_is_used() -> None:
    good = public(rsa_key("first"))[0]
    for changes in (
        {"use": "enc"}, {"alg": "PS256"}, {"kty": "EC"}, {"kty": "oct", "k": "AAAA"}, {"n": "AQAB"}, {"n": 7},
        {"n": "é"}, {"e": ""}, {"kty": None}, {"crv": "P-256"},
    ):  # fmt: skip
        with pytest.raises(TokenRefused):
            verified(token(), [good | changes], EXPECTED, NOW)
    short = RSAKey.import_key(rsa_key("first").as_dict(private=False))
    assert verified(token(), [dict(short.as_dict(private=False))], EXPECTED, NOW).subject == "248289"
    # A key for another curve is not even tried.
    head = base64.urlsafe_b64encode(b'{"alg":"ES384","kid":"second"}').decode().rstrip("=")
    signed_by_it = token(ec_key("second"), {"alg": "ES256"}).partition(".")[2]
    with pytest.raises(TokenRefused, match="not for such signatures"):
        verified(f"{head}.{signed_by_it}", public(ec_key("second")), EXPECTED, NOW)


def test_a_key_that_is_not_known_can_be_asked_for() -> None:
    with pytest.raises(KeyUnknown):
        check(token(rsa_key("second")))
    with pytest.raises(KeyUnknown):
        verified(token(), [], EXPECTED, NOW)
    # Without a name every fitting key is tried, and the right one may be new.
    nameless = token(header={"kid": None})
    works(nameless, ec_key("second"), rsa_key("second"), rsa_key("first"))
    with pytest.raises(KeyUnknown):
        check(nameless, ec_key("second"), rsa_key("second"))


def test_what_a_token_says_is_critical_has_to_be_understood() -> None:
    knows_it = jws.JWSRegistry({"exp": HeaderParameter("When it ends", "int")}, ["RS256"])
    header = {"alg": "RS256", "kid": "first", "crit": ["exp"], "exp": NOW + 300}
    text = jws.serialize_compact(header, json.dumps(CLAIMS), rsa_key("first"), registry=knows_it)
    with pytest.raises(TokenRefused):
        check(text)
    works(token(header={"x-unknown": "but not critical"}))


def test_headers_and_claims_of_any_shape_are_refused_and_nothing_else() -> None:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    head, claims, signature = token().split(".")
    headers: list[Any] = [
        None, [], ["alg", "b64"], "alg", 7, {}, {"alg": None}, {"alg": ["RS256"]}, {"alg": {}}, {"alg": "RS256", "kid": {}},
    ]  # fmt: skip
    for odd in headers:
        with pytest.raises(TokenRefused):
            check(f"{part(odd)}.{claims}.{signature}")
    for text in (
        "", ".", "..", "...", "a.b.c", "ä.b.c", "\udcff.b.c", "a.a.a.a.a", "a" * 200_000,
        f"{head}.{claims}", f"{head}.{claims}.{signature}.x",
    ):  # fmt: skip
        with pytest.raises(TokenRefused):
            check(text)
    for payload in ("[]", "null", '"a"', "[" * 50_000, "{", "\xff"):
        odd_token = jws.serialize_compact(
            {"alg": "RS256", "kid": "first"}, payload, rsa_key("first"), ["RS256"]
        )
        with pytest.raises(TokenRefused):
            check(odd_token)


@given(position=st.integers(0), letter=st.sampled_from("ABCxyz019-_.=é"))
def test_a_token_with_a_changed_letter_proves_nothing(position: int, letter: str) -> None:
    good = _GOOD
    position %= len(good)
    changed = good[:position] + letter + good[position + 1 :]
    try:
        found = check(changed)
    except TokenRefused:
        return
    # The last letter of a part has bits that mean nothing.
    assert found == check(good)


_GOOD = token()
