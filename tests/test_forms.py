"""Files in forms arrive as they are; a bad form is refused in one sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.http.forms import read_multipart
from sora_gateway.http.routing import Access, Endpoint
from sora_gateway.http.uploads import Upload, display_name
from tests.forms import MULTIPART, PNG, MiB, Wanted, error_of, form, gateway, make_thing, part, post
from tests.http_calls import application, client_of


async def test_a_file_reaches_the_handler_with_its_name_and_its_declared_type() -> None:
    async with client_of(gateway(), authorization="Bearer member") as client:
        answer = await client.post(
            "/things", data={"prompt": "a boat"}, files={"image": ("first.png", PNG, "image/png")}
        )
    assert answer.json() == {"prompt": "a boat", "image": ["first.png", "image/png", len(PNG)], "clip": None}


async def test_a_field_that_may_be_a_file_may_be_an_object_too() -> None:
    assert (await post(form(part("image[url]", "https://a/")))).json()["image"] == {"url": "https://a/"}
    assert (await post(b"image[url]=x", "application/x-www-form-urlencoded")).json()["image"] == {"url": "x"}


async def test_a_file_input_that_was_left_empty_is_not_given() -> None:
    said = (await post(form(part("image", b"", '; filename=""'), part("prompt", "a")))).json()
    assert (said["image"], said["prompt"]) == (None, "a")
    nameless = (await post(form(part("image", PNG, '; filename=""')))).json()
    assert nameless["image"] == ["", "", len(PNG)]


async def test_two_files_are_taken_and_three_are_not() -> None:
    two = part("image", PNG, '; filename="a"') + part("clip", PNG, '; filename="b"')
    assert (await post(form(two))).json()["clip"] == len(PNG)
    assert await error_of(form(two, part("more", PNG, '; filename="c"'))) == (
        400,
        "The form has more than 2 files.",
    )


BAD_FORMS: dict[str, tuple[bytes, str]] = {
    "a file where text belongs": (
        form(part("prompt", "a", '; filename="a.txt"')), "The field 'prompt' must not be a file here.",
    ),
    "text where a file belongs": (
        form(part("clip", "abc")), "Invalid type for 'clip': expected a file, but got a string.",
    ),
    "an object where a file belongs": (
        form(part("clip[id]", "abc")), "Invalid type for 'clip': expected a file, but got an object.",
    ),
    "text where a file or an object belongs": (
        form(part("image", "abc")), "Invalid type for 'image': expected a file or an object, but got a string.",
    ),
    "a file that nobody asked for": (form(part("seed", PNG, '; filename="a"')), "There is no field 'seed' here."),
    "a part without a name": (
        b"--b\r\nContent-Disposition: form-data\r\n\r\na\r\n--b--", "A part of the form does not say its name.",
    ),
    "a part that is no form data": (
        b'--b\r\nContent-Disposition: attachment; name="prompt"\r\n\r\na\r\n--b--', "A part of the form does not say its name.",
    ),
    "a part without headers": (b"--b\r\n\r\na\r\n--b--", "A part of the form does not say its name."),
    "a name that is not UTF-8": (
        b'--b\r\nContent-Disposition: form-data; name="\xe9"\r\n\r\na\r\n--b--', "The form has text that is not UTF-8.",
    ),
    "a file's name that is not UTF-8": (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="\xe9"\r\n\r\na\r\n--b--',
        "The form has text that is not UTF-8.",
    ),
    "a header without end": (
        b"--b\r\nContent-Disposition: form-data; name=" + b"a" * 20_000, "The body is no form in multipart/form-data.",
    ),
    "a form that ends within a file": (
        part("image", PNG, '; filename="a"')[:-4], "The form ends too early.",
    ),
    "a form that ends after a part": (part("image", PNG, '; filename="a"'), "The form ends too early."),
    "65 fields": (form(*[part(f"f{n}", "a") for n in range(65)]), "The form has more than 64 fields."),
    "65 empty file inputs": (
        form(*[part("image", b"", '; filename=""')] * 65), "The form has more than 64 fields.",
    ),
    "a long text that is no address": (
        form(part("prompt", "船" * (MiB // 4))), "The body has a text of more than 524288 bytes that is no data: address.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FORMS)
async def test_a_bad_form_gets_one_sentence(case: str) -> None:
    body, sentence = BAD_FORMS[case]
    assert await error_of(body) == (400, sentence)


async def test_where_only_forms_are_taken_json_is_refused() -> None:
    only_forms = Endpoint(
        method="POST",
        path="/clips",
        handler=make_thing,
        summary="",
        access=Access.PUBLIC,
        tag="t",
        form=Wanted,
    )
    async with client_of(application([only_forms])) as client:
        refused = await client.post("/clips", json={})
        assert (await client.post("/clips", data={"prompt": "a"})).status_code == 200
    assert (refused.status_code, refused.json()["error"]["message"]) == (
        415, "Send the body as a form, with Content-Type: multipart/form-data.",
    )  # fmt: skip


async def test_a_boundary_that_is_no_boundary_is_refused() -> None:
    for boundary in ("", "boundary=", f"boundary={'b' * 300}"):
        assert (await error_of(form(part("prompt", "a")), f"multipart/form-data; {boundary}"))[0] == 400


async def test_a_long_data_address_comes_in_a_form_as_well() -> None:
    address = f"data:image/png;base64,{'A' * (2 * MiB)}"
    assert (await post(form(part("image[url]", address)))).json()["image"] == {"url": address}


async def test_a_urlencoded_form_is_small() -> None:
    status, sentence = await error_of(b"prompt=" + b"a" * MiB, "application/x-www-form-urlencoded")
    assert (status, sentence) == (413, "A body of this kind may have 524288 bytes; send multipart/form-data.")


@pytest.mark.parametrize(
    ("declared", "shown"),
    [
        ("first.png", "first.png"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\ann\first.png", "first.png"),
        ("船.png", "船.png"),
        ("a\0b\r\nc\u202egnp.exe", "abcgnp.exe"),
        ("folder/", ""),
        ("..", ".."),
        ("x" * 4096, "x" * 100),
    ],
)
def test_a_files_name_is_only_for_showing(declared: str, shown: str) -> None:
    assert display_name(declared) == shown


def test_a_file_does_not_spill_into_a_log() -> None:
    assert (
        repr(Upload("a.png", "image/png", PNG * 1000)) == "Upload(filename='a.png', content_type='image/png')"
    )


NEARLY = st.sampled_from([b"\r\n", b"--b", b"\r\n--b", b"\r\n--", b"-", b"\r", b"\n", b"\0", b"--b--"])


@given(st.lists(NEARLY | st.binary(max_size=5), max_size=12).map(b"".join))
def test_a_files_bytes_arrive_as_they_are(data: bytes) -> None:
    if b"\r\n--b" in b"\r\n" + data:
        return  # it is the boundary: nobody may send that
    fields = dict(read_multipart(MULTIPART, form(part("image", data, '; filename="a"'), part("prompt", "a"))))
    assert fields == {"image": Upload("a", "", data), "prompt": "a"}
