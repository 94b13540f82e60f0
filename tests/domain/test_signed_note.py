from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.checkpoint_keys import SigningKey, verify
from domain.merkle import EMPTY_ROOT
from domain.signed_note import Checkpoint, NoteForged, NoteMalformed, Signature, opened, parse_verifier_key, signed

# From golang.org/x/mod/sumdb/note (note_test.go at 02c9913), © The Go Authors, BSD-3-Clause.
PETER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH_PUBLIC = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
SAID = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETERS_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCHS_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
# From c2sp.org/signed-note (at 5ba5ee8), CC BY 4.0.
FOO_PUBLIC = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOOS_TEXT = "This is an example message.\n"
FOOS_LINE = (
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# From c2sp.org/tlog-checkpoint (at 5ba5ee8), CC BY 4.0: nobody says with which key it was signed.
BEHIND_THE_SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)

KEY = SigningKey.generate("rollcall.example/log")
OTHER = SigningKey.generate("rollcall.example/log")
CHECKPOINT = Checkpoint("rollcall.example/log", 3, EMPTY_ROOT)
NOTE = signed(CHECKPOINT.text(), [KEY.sign(CHECKPOINT.text())])


def test_signatures_are_those_of_go() -> None:
    key = SigningKey.parse(PETER)
    assert str(key.verifier) == PETER_PUBLIC
    assert signed(SAID, [key.sign(SAID)]) == f"{SAID}\n{PETERS_LINE}"
    assert SigningKey.parse(key.secret()).secret() == PETER


@pytest.mark.parametrize(
    ("public", "text", "line"),
    [(PETER_PUBLIC, SAID, PETERS_LINE), (ENOCH_PUBLIC, SAID, ENOCHS_LINE), (FOO_PUBLIC, FOOS_TEXT, FOOS_LINE)],
)
def test_signatures_of_others_are_right_and_with_another_text_are_not(public: str, text: str, line: str) -> None:
    name, content = line.removeprefix("— ").split()
    key = parse_verifier_key(public)
    signature = Signature.parse(line.rstrip("\n"))
    assert (signature.name, signature.key_id) == (name, key.id)
    assert verify(key.public, signature.value, text.encode())
    assert not verify(key.public, signature.value, text.replace("i", "j", 1).encode())
    assert content in signature.line()


def test_a_checkpoint_is_read_and_written_as_the_specification_shows_it() -> None:
    checkpoint, signers = opened(BEHIND_THE_SOFA, [KEY.verifier], verify)
    assert (checkpoint.origin, checkpoint.size, signers) == ("example.com/behind-the-sofa", 20852163, [])
    assert BEHIND_THE_SOFA.startswith(checkpoint.text() + "\n—")


def test_a_note_tells_which_of_the_known_keys_signed_it() -> None:
    both = signed(CHECKPOINT.text(), [KEY.sign(CHECKPOINT.text()), OTHER.sign(CHECKPOINT.text())])
    assert opened(both, [OTHER.verifier], verify) == (CHECKPOINT, [OTHER.verifier])
    assert opened(both, [OTHER.verifier, KEY.verifier], verify)[1] == [KEY.verifier, OTHER.verifier]
    assert opened(NOTE, [OTHER.verifier], verify) == (CHECKPOINT, [])


@given(st.integers(0, len(NOTE.encode()) * 8 - 1))
def test_no_bit_of_a_checkpoint_can_be_changed(bit: int) -> None:
    content = bytearray(NOTE.encode())
    content[bit // 8] ^= 1 << bit % 8
    try:
        _, signers = opened(content.decode(), [KEY.verifier], verify)
    except (UnicodeDecodeError, NoteMalformed, NoteForged):
        return
    assert signers == []  # the line names another key, so nothing is said by ours


@pytest.mark.parametrize(
    "note",
    [
        "",
        CHECKPOINT.text(),
        NOTE.rstrip("\n"),
        NOTE + "more\n",
        NOTE.replace("\n3\n", "\n03\n"),
        NOTE.replace("\n3\n", "\n-3\n"),
        NOTE.replace("\n3\n", "\n\n"),
        NOTE.replace("rollcall", "roll\tcall", 1),
        NOTE.replace("— ", "- "),
        CHECKPOINT.text() + "\n" + KEY.sign(CHECKPOINT.text()).line() * 101,
    ],
)
def test_what_is_no_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(NoteMalformed):
        opened(note, [KEY.verifier], verify)


@pytest.mark.parametrize("key", [PETER, KEY.secret()], ids=["the published one", "one of ours"])
def test_a_key_with_an_altered_character_is_refused(key: str) -> None:
    public = str(SigningKey.parse(key).verifier)
    for at in range(len(key)):
        with pytest.raises(ValueError, match=r".*"):
            SigningKey.parse(key[:at] + chr(ord(key[at]) + 1) + key[at + 1 :])
    for at in range(len(public)):
        with pytest.raises(ValueError, match=r".*"):
            parse_verifier_key(public[:at] + chr(ord(public[at]) + 1) + public[at + 1 :])
