"""What a user's authorization is good for: the very thing that was asked for, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mintline.acceptance import ACCEPTANCE, CERTIFICATE_BYTES, MAX_VALIDITY, STATEMENT_BYTES, Session
from mintline.clock import UnixSeconds
from mintline.messages.intents import SignBatch
from mintline.scopes import ACCOUNT_ADMIN
from mintline_signer.enclave.authorization_keys import AuthorizationKeyCache
from mintline_signer.enclave.authorizer import AT_ONCE, Authorizer
from mintline_signer.enclave.kinds import required_authorizations
from mintline_signer.enclave.revocations import RevokedTokens
from mintline_signer.enclave.tokens import TokenVerifier
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.protocol import WrappedAuthorizationKey
from mintline_testkit.signer import LIFETIME, Authority, base64url
from tests.unit.signer.conftest import Player

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast

GRACE = 600
HEADER = 1 + STATEMENT_BYTES + 8
GONE = Player("user-gone", b"\x66" * 32)
"""A user whose token was revoked."""
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


class FakeKms:
    def __init__(self, plaintext: bytes) -> None:
        self.plaintext = plaintext
        self.decrypted: list[bytearray] = []
        self.error: Exception | None = None

    async def decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:
        assert context == {"sub": "platform:sealing", "chain": "31337"}
        assert ciphertext
        if self.error is not None:
            raise self.error
        self.decrypted.append(bytearray(self.plaintext))
        return self.decrypted[-1]


class SeveralKms:
    def __init__(self, plaintexts: Mapping[str, bytes]) -> None:
        self.plaintexts = plaintexts

    async def decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:
        assert context == {"sub": "platform:sealing", "chain": "31337"}
        return bytearray(self.plaintexts[ciphertext.decode()])


def authorizer_over(authorization_keys: AuthorizationKeyCache, cast: Cast) -> Authorizer:
    policy = cast.policy().authorization
    statements = policy.statements()
    revoked = RevokedTokens(statements, grace=policy.grace, secret=bytes(16), remembered=100)
    revoked.take(
        [cast.authority.revocation(GONE.subject, revoked_before=cast.now + 1, at=cast.now)],
        now=UnixSeconds(cast.now),
    )
    return Authorizer(authorization_keys, TokenVerifier(policy), statements, revoked)


async def authorizer_of(cast: Cast) -> Authorizer:
    authorization_keys = AuthorizationKeyCache(FakeKms(cast.authority.plaintext()))
    keys = cast.authority.authorization_keys().keys
    authorization_keys.use(keys)
    await authorization_keys.obtain(keys[0].key_id)
    return authorizer_over(authorization_keys, cast)


def evolve(model: Any, **changes: Any) -> Any:
    return model.model_copy(update=changes)


def voucher(mint: Any, **changes: Any) -> Any:
    return evolve(mint, voucher=evolve(mint.voucher, **changes))


def by(mint: Any, **changes: Any) -> Any:
    return evolve(mint, signer=evolve(mint.signer, **changes))


def spoiled(mint: Any, spoil: Callable[[bytes], bytes]) -> Any:
    return evolve(mint, authorization=spoil(mint.authorization))


def accepted(cast: Cast, session: Session) -> Any:
    """Return a mint with a good token, accepted by somebody's session key."""
    return cast.authority.authorized(cast.mint(), cast.token(), now=cast.now, session=session)


def self_certified(cast: Cast) -> Session:
    """Return a session key whose certificate names the intake key, and is signed by another one."""
    good, other = cast.authority.session(now=cast.now), Authority(chain_id=31337)
    return Session(good.key, other.certify(good.certificate))


def at_another_time(envelope: bytes, at: int) -> bytes:
    place = 1 + CERTIFICATE_BYTES
    return envelope[:place] + at.to_bytes(8, "big") + envelope[place + 8 :]


ATTACKS: list[tuple[str, RefusalCode, Callable[[Cast], Any]]] = [
    ("no authorization", RefusalCode.AUTHORIZATION_MISSING, lambda c: evolve(c.mint(), authorization=b"")),
    (
        "an authorization in clear",
        RefusalCode.AUTHORIZATION_MALFORMED,
        lambda c: spoiled(c.mint(), lambda _: b"ey.J.x"),
    ),
    (
        "another version",
        RefusalCode.AUTHORIZATION_MALFORMED,
        lambda c: spoiled(c.mint(), lambda e: b"\3" + e[1:]),
    ),
    (
        "the version before",
        RefusalCode.ACCEPTANCE_MISSING,
        lambda c: spoiled(c.mint(), lambda e: b"\1" + e[HEADER - 8 :]),
    ),
    ("no box", RefusalCode.AUTHORIZATION_MALFORMED, lambda c: spoiled(c.mint(), lambda e: e[:HEADER])),
    ("half a box", RefusalCode.AUTHORIZATION_SEAL, lambda c: spoiled(c.mint(), lambda e: e[: HEADER + 81])),
    (
        "a bit changed",
        RefusalCode.AUTHORIZATION_SEAL,
        lambda c: spoiled(c.mint(), lambda e: e[:-1] + bytes((e[-1] ^ 1,))),
    ),
    (
        "a token without its seal",
        RefusalCode.AUTHORIZATION_SEAL,
        lambda c: spoiled(c.mint(), lambda e: e[:HEADER] + c.token().encode()),
    ),
    ("another token id", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c: voucher(c.mint(), token_id=1)),
    (
        "another voucher's token id",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c: voucher(c.voucher(), token_id=1),
    ),
    (
        "another voucher's user",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c: evolve(c.voucher(), subject="user-2"),
    ),
    ("a voucher of nobody", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c: evolve(c.voucher(), subject="")),
    (
        "a voucher by another user's authorization",
        RefusalCode.AUTHORIZATION_SUBJECT,
        lambda c: c.authorized(c.voucher(), c.other),
    ),
    (
        "an intake key of one's own",
        RefusalCode.ACCEPTANCE_KEY,
        lambda c: accepted(c, Authority(chain_id=31337).session(now=c.now)),
    ),
    (
        "a certificate of one's own",
        RefusalCode.ACCEPTANCE_CERTIFICATE,
        lambda c: accepted(c, self_certified(c)),
    ),
    (
        "another time of acceptance",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c: spoiled(c.mint(), lambda e: at_another_time(e, c.now * 1000 + 1)),
    ),
    (
        "a time after the certificate's end",
        RefusalCode.ACCEPTANCE_TIME,
        lambda c: spoiled(c.mint(), lambda e: at_another_time(e, c.now * 1000 + MAX_VALIDITY)),
    ),
    (
        "a time before the certificate's beginning",
        RefusalCode.ACCEPTANCE_TIME,
        lambda c: spoiled(c.mint(), lambda e: at_another_time(e, c.now * 1000 - 1)),
    ),
    (
        "a time of the future",
        RefusalCode.ACCEPTANCE_TIME,
        lambda c: spoiled(c.mint(), lambda e: at_another_time(e, c.now * 1000 + 600_000)),
    ),
    (
        "a certificate of another version",
        RefusalCode.AUTHORIZATION_MALFORMED,
        lambda c: spoiled(c.mint(), lambda e: e[:1] + b"\2" + e[2:]),
    ),
    ("another recipient", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c: voucher(c.mint(), to=OTHER)),
    (
        "other metadata",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c: voucher(c.mint(), metadata_digest=bytes(32)),
    ),
    ("another contract", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c: evolve(c.mint(), contract=OTHER)),
    ("another chain", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c: evolve(c.mint(), chain_id=1)),
    ("another mint", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c: evolve(c.mint(), mint_id="mint_9")),
    ("another user's wallet", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c: by(c.mint(), address=OTHER)),
    ("another user", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c: by(c.mint(), subject="user-2")),
    (
        "another user's authorization",
        RefusalCode.AUTHORIZATION_SUBJECT,
        lambda c: c.authorized(c.mint(), c.other),
    ),
    (
        "a voucher's authorization for a mint",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c: evolve(c.mint(), mint_id="mint_2", authorization=c.voucher().authorization),
    ),
    ("a voucher for another", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c: voucher(c.voucher(), to=OTHER)),
    (
        "a voucher of another mint",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c: evolve(c.voucher(), mint_id="mint_1"),
    ),
    ("a transfer to another", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c: evolve(c.transfer(), to=OTHER)),
    (
        "a transfer of another token",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c: evolve(c.transfer(), token_id=1),
    ),
    (
        "a transfer once more",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c: evolve(c.transfer(), request_id="x"),
    ),
    (
        "a transfer elsewhere",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c: evolve(c.transfer(), contract=OTHER),
    ),
    (
        "a transfer by another user's authorization",
        RefusalCode.AUTHORIZATION_SUBJECT,
        lambda c: c.authorized(c.transfer(), c.other),
    ),
    ("a burn of another token", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c: evolve(c.burn(), token_id=1)),
    (
        "a burn by a transfer's authorization",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c: evolve(c.burn(), request_id="transfer_1", authorization=c.transfer().authorization),
    ),
    (
        "a burn without an authorization",
        RefusalCode.AUTHORIZATION_MISSING,
        lambda c: evolve(c.burn(), authorization=b""),
    ),
    ("a revoked token", RefusalCode.TOKEN_REVOKED, lambda c: c.mint(GONE)),
    (
        "a voucher without an authorization",
        RefusalCode.AUTHORIZATION_MISSING,
        lambda c: evolve(c.voucher(), authorization=b""),
    ),
]


@pytest.mark.parametrize(("code", "build"), [a[1:] for a in ATTACKS], ids=[a[0] for a in ATTACKS])
async def test_authorizer__when_the_word_is_not_for_this__refuses(
    cast: Cast, code: RefusalCode, build: Callable[[Cast], Any]
) -> None:
    authorizer = await authorizer_of(cast)
    with pytest.raises(EnclaveRefusal) as caught:
        authorizer.judge(build(cast), now=UnixSeconds(cast.now))
    assert caught.value.code == code


def tokens(cast: Cast, **changes: Any) -> str:
    claims = cast.authority.claims(cast.user.subject, now=cast.now)
    return cast.authority.sign({k: v for k, v in (claims | changes).items() if v is not None})


def resigned(token: str, **header: Any) -> str:
    """Return a token with another header, and the signature of the former."""
    _, claims, signature = token.split(".")
    return f"{base64url(json.dumps(header).encode())}.{claims}.{signature}"


BAD_TOKENS: list[tuple[str, RefusalCode, Callable[[Cast], str]]] = [
    ("no token", RefusalCode.TOKEN_MALFORMED, lambda _: "x"),
    ("two parts", RefusalCode.TOKEN_MALFORMED, lambda c: c.token().rpartition(".")[0]),
    ("four parts", RefusalCode.TOKEN_MALFORMED, lambda c: c.token() + ".x"),
    ("a header that is no object", RefusalCode.TOKEN_MALFORMED, lambda _: "bnVsbA.e30.e30"),
    ("a header that is no JSON", RefusalCode.TOKEN_MALFORMED, lambda _: "eA.e30.e30"),
    ("padding", RefusalCode.TOKEN_MALFORMED, lambda c: c.token() + "="),
    ("no algorithm", RefusalCode.TOKEN_ALGORITHM, lambda c: resigned(c.token(), kid="key-1", alg="none")),
    (
        "HMAC by the public key",
        RefusalCode.TOKEN_ALGORITHM,
        lambda c: resigned(c.token(), kid="key-1", alg="HS256"),
    ),
    ("a critical extension", RefusalCode.TOKEN_ALGORITHM, lambda c: c.authority.sign({}, crit=["b64"])),
    ("an unknown key", RefusalCode.TOKEN_KEY, lambda c: c.authority.sign({}, kid="key-2")),
    ("a key id that is none", RefusalCode.TOKEN_KEY, lambda c: c.authority.sign({}, kid=["key-1"])),
    ("another pool's key", RefusalCode.TOKEN_SIGNATURE, lambda c: Authority().token("user-1", now=c.now)),
    ("no signature", RefusalCode.TOKEN_SIGNATURE, lambda c: c.token().rpartition(".")[0] + "."),
    ("another issuer", RefusalCode.TOKEN_ISSUER, lambda c: tokens(c, iss="https://evil.example")),
    ("no issuer", RefusalCode.TOKEN_ISSUER, lambda c: tokens(c, iss=None)),
    ("an id token", RefusalCode.TOKEN_USE, lambda c: tokens(c, token_use="id")),
    ("another client", RefusalCode.TOKEN_CLIENT, lambda c: tokens(c, client_id="other")),
    ("clients in a list", RefusalCode.TOKEN_CLIENT, lambda c: tokens(c, client_id=["test-client"])),
    ("no user", RefusalCode.TOKEN_SUBJECT, lambda c: tokens(c, sub=None)),
    ("a platform key", RefusalCode.TOKEN_SUBJECT, lambda c: tokens(c, sub=c.treasury.subject)),
    ("a user that is no text", RefusalCode.TOKEN_SUBJECT, lambda c: tokens(c, sub=["user-1"])),
    ("no scope", RefusalCode.TOKEN_SCOPE, lambda c: tokens(c, scope=None)),
    ("another scope", RefusalCode.TOKEN_SCOPE, lambda c: tokens(c, scope="openid mintline/mints:read")),
    ("a scope over the account", RefusalCode.TOKEN_SCOPE, lambda c: tokens(c, scope=ACCOUNT_ADMIN)),
    ("no end", RefusalCode.TOKEN_MALFORMED, lambda c: tokens(c, exp=None)),
    ("an end that is no number", RefusalCode.TOKEN_MALFORMED, lambda c: tokens(c, exp=True)),
    ("an infinite end", RefusalCode.TOKEN_MALFORMED, lambda c: tokens(c, exp=float("inf"))),
    ("no beginning", RefusalCode.TOKEN_MALFORMED, lambda c: tokens(c, iat=None)),
    ("not yet", RefusalCode.TOKEN_NOT_YET_VALID, lambda c: tokens(c, nbf=c.now + 11)),
    ("from the future", RefusalCode.TOKEN_NOT_YET_VALID, lambda c: tokens(c, iat=c.now + 11)),
    ("past its grace", RefusalCode.TOKEN_EXPIRED, lambda c: tokens(c, exp=c.now - GRACE)),
]


@pytest.mark.parametrize(("code", "token"), [t[1:] for t in BAD_TOKENS], ids=[t[0] for t in BAD_TOKENS])
async def test_authorizer__when_the_token_is_bad__refuses(
    cast: Cast, code: RefusalCode, token: Callable[[Cast], str]
) -> None:
    authorizer = await authorizer_of(cast)
    intent = cast.authority.authorized(cast.mint(), token(cast), now=cast.now)
    with pytest.raises(EnclaveRefusal) as caught:
        authorizer.judge(intent, now=UnixSeconds(cast.now))
    assert caught.value.code == code


def test_authorizer__when_it_has_a_rule__some_test_here_breaks_it() -> None:
    broken = {attack[1] for attack in ATTACKS} | {bad[1] for bad in BAD_TOKENS}
    assert broken == {
        code
        for code in RefusalCode
        if code.startswith(("authorization_", "acceptance_", "token_"))
        # Of requests for many mints: `test_line_proofs`.
        and code is not RefusalCode.AUTHORIZATION_LINE
    }


async def test_authorizer__when_the_user_asked_for_this__lets_it_pass(cast: Cast) -> None:
    authorizer = await authorizer_of(cast)
    for request in cast.everything():
        beside = cast.authorizations(request) if isinstance(request, SignBatch) else []
        assert authorizer.judge(request, now=UnixSeconds(cast.now), authorizations=beside)


async def test_authorizer__when_the_acceptance_is_of_its_certificates_last_moment__lets_it_pass_an_hour_later(
    cast: Cast,
) -> None:
    """A certificate bounds when the api may accept, not when an enclave may sign."""
    ending = cast.authority.session(now=cast.now + 1 - MAX_VALIDITY // 1000)
    bare = evolve(cast.mint(), authorization=b"")
    mint = cast.authority.authorized(bare, cast.token(), now=cast.now, session=ending)
    authorizer = await authorizer_of(cast)
    for later in (0, 1, 3600, LIFETIME + GRACE - 1):
        assert authorizer.judge(mint, now=UnixSeconds(cast.now + later))
    with pytest.raises(ValueError, match="not valid at that time"):
        cast.authority.authorized(bare, cast.token(), now=cast.now + 1, session=ending)


async def test_authorizer__when_fees_or_the_nonce_change__lets_it_pass(cast: Cast) -> None:
    authorizer = await authorizer_of(cast)
    bumped = evolve(cast.mint(), fees=evolve(cast.mint().fees, max_fee_per_gas=1), attempt=3, nonce=9)
    assert authorizer.judge(bumped, now=UnixSeconds(cast.now))


async def test_authorizer__when_no_user_is_needed__asks_for_no_word(cast: Cast) -> None:
    authorizer = await authorizer_of(cast)
    for intent in (cast.top_up(), cast.noop()):
        assert authorizer.judge(intent, now=UnixSeconds(cast.now))


async def test_authorizer__when_a_known_token_grows_old__refuses_it_after_its_grace(cast: Cast) -> None:
    authorizer = await authorizer_of(cast)
    mint, end = cast.mint(), cast.now + LIFETIME + GRACE
    assert authorizer.judge(mint, now=UnixSeconds(cast.now))
    assert authorizer.judge(mint, now=UnixSeconds(end - 1))
    with pytest.raises(EnclaveRefusal) as caught:
        authorizer.judge(mint, now=UnixSeconds(end))
    assert caught.value.code == RefusalCode.TOKEN_EXPIRED


def test_verifier__when_a_token_is_too_long__refuses(cast: Cast) -> None:
    with pytest.raises(EnclaveRefusal) as caught:
        TokenVerifier(cast.policy().authorization).subject_of(
            tokens(cast, scope="x" * 8000), now=UnixSeconds(cast.now)
        )
    assert caught.value.code == RefusalCode.TOKEN_MALFORMED


def test_verifier__when_many_tokens_come__remembers_the_latest(cast: Cast) -> None:
    verifier = TokenVerifier(cast.policy().authorization, remembered=2)
    for subject in ("user-1", "user-2", "user-3"):
        assert (
            verifier.subject_of(cast.authority.token(subject, now=cast.now), now=UnixSeconds(cast.now))
            == subject
        )
    assert len(verifier) == 2


async def test_seals__when_the_key_is_not_unwrapped_yet__has_it_obtained_once(cast: Cast) -> None:
    kms = FakeKms(cast.authority.plaintext())
    authorization_keys = AuthorizationKeyCache(kms)
    authorization_keys.use(cast.authority.authorization_keys().keys)
    authorizer = authorizer_over(authorization_keys, cast)
    assert not authorizer.judge(cast.mint(), now=UnixSeconds(cast.now))
    await authorizer.judge_later(cast.mint(), now=UnixSeconds(cast.now))
    await authorizer.judge_later(cast.mint(), now=UnixSeconds(cast.now))
    assert authorizer.judge(cast.mint(), now=UnixSeconds(cast.now))
    assert kms.decrypted == [bytearray(len(cast.authority.plaintext()))], "the plaintext must be erased"


async def test_seals__when_the_host_gave_no_such_key__fails_and_refuses_nobody(cast: Cast) -> None:
    authorization_keys = AuthorizationKeyCache(FakeKms(cast.authority.plaintext()))
    authorizer = authorizer_over(authorization_keys, cast)
    with pytest.raises(EnclaveFailure) as caught:
        await authorizer.judge_later(cast.mint(), now=UnixSeconds(cast.now))
    assert caught.value.code == FailureCode.AUTHORIZATION_KEY_MISSING


async def test_seals__when_keys_are_replaced__forget_the_former(cast: Cast) -> None:
    authorization_keys = AuthorizationKeyCache(FakeKms(cast.authority.plaintext()))
    (key,) = cast.authority.authorization_keys().keys
    authorization_keys.use([key])
    await authorization_keys.obtain(key.key_id)
    authorization_keys.use([WrappedAuthorizationKey(key_id=bytes(8), chain_id=1, wrapped=b"w")])
    assert authorization_keys.held(key.key_id) is None
    with pytest.raises(EnclaveFailure):
        await authorization_keys.obtain(key.key_id)


def _der(curve: ec.EllipticCurve) -> bytes:
    key = ec.generate_private_key(curve)
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("plaintext", [b"", b"junk", _der(ec.SECP256K1()), _der(ec.SECP256R1())])
async def test_seals__when_the_plaintext_is_another_key__fail(cast: Cast, plaintext: bytes) -> None:
    authorization_keys = AuthorizationKeyCache(FakeKms(plaintext))
    (key,) = cast.authority.authorization_keys().keys
    authorization_keys.use([key])
    with pytest.raises(EnclaveFailure) as caught:
        await authorization_keys.obtain(key.key_id)
    assert caught.value.code == FailureCode.AUTHORIZATION_KEY_MISSING
    assert authorization_keys.held(key.key_id) is None


async def test_seals__when_kms_fails__ask_again(cast: Cast) -> None:
    kms = FakeKms(cast.authority.plaintext())
    authorization_keys = AuthorizationKeyCache(kms)
    (key,) = cast.authority.authorization_keys().keys
    authorization_keys.use([key])
    kms.error = EnclaveFailure(FailureCode.KMS_UNAVAILABLE)
    with pytest.raises(EnclaveFailure):
        await authorization_keys.obtain(key.key_id)
    kms.error = None
    assert await authorization_keys.obtain(key.key_id) is authorization_keys.held(key.key_id)


def line(batch: SignBatch, number: int, **changes: Any) -> SignBatch:
    lines = list(batch.mints)
    lines[number] = evolve(lines[number], **changes)
    changed: SignBatch = evolve(batch, mints=tuple(lines))
    return changed


def as_custodial(cast: Cast, batch: SignBatch) -> bytes:
    """Return the authorization of a custodial mint of the very same token to the same address."""
    mint, sponsored = cast.mint(), batch.mints[2]
    custodial = evolve(
        voucher(
            mint,
            token_id=sponsored.token_id,
            to=sponsored.to,
            metadata_digest=sponsored.metadata_digest,
        ),
        mint_id=sponsored.mint_id,
    )
    authorized: bytes = cast.authorized(custodial).authorization
    return authorized


BATCH_ATTACKS: list[tuple[str, RefusalCode, Callable[[Cast, list[bytes]], tuple[SignBatch, list[bytes]]]]] = [
    ("no authorization", RefusalCode.AUTHORIZATION_MISSING, lambda c, w: (c.batch(), [*w[:2], b""])),
    (
        "another line's authorization",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c, w: (c.batch(), [*w[:2], w[0]]),
    ),
    (
        "a custodial mint's authorization",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c, w: (c.batch(), [*w[:2], as_custodial(c, c.batch())]),
    ),
    (
        "another user's name",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c, w: (line(c.batch(), 2, subject=c.other.subject), w),
    ),
    ("another recipient", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c, w: (line(c.batch(), 2, to=OTHER), w)),
    ("another token", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c, w: (line(c.batch(), 2, token_id=5), w)),
    (
        "other metadata",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c, w: (line(c.batch(), 2, metadata_digest=bytes(range(32))), w),
    ),
]


@pytest.mark.parametrize(
    ("code", "build"), [attack[1:] for attack in BATCH_ATTACKS], ids=[a[0] for a in BATCH_ATTACKS]
)
async def test_authorizer__when_one_line_of_a_batch_has_no_word_of_its_users__refuses_and_says_which(
    cast: Cast, code: RefusalCode, build: Callable[[Cast, list[bytes]], tuple[SignBatch, list[bytes]]]
) -> None:
    authorizer = await authorizer_of(cast)
    batch, authorizations = build(cast, cast.authorizations(cast.batch()))
    with pytest.raises(EnclaveRefusal) as at_once:
        authorizer.judge(batch, now=UnixSeconds(cast.now), authorizations=authorizations)
    with pytest.raises(EnclaveRefusal) as later:
        await authorizer.judge_later(batch, now=UnixSeconds(cast.now), authorizations=authorizations)
    for caught in (at_once, later):
        assert (caught.value.code, caught.value.operation_id) == (code, batch.mints[2].mint_id)


async def test_authorizer__when_a_lines_token_is_anothers__refuses_and_says_which(cast: Cast) -> None:
    authorizer = await authorizer_of(cast)
    batch, session = cast.batch(), cast.authority.session(now=cast.now)
    authorizations = required_authorizations(batch, cast.authorizations(batch))
    stolen = cast.authority.sealed(authorizations[1], cast.token(cast.user), now=cast.now, session=session)
    given = [authorizations[0].envelope, stolen, authorizations[2].envelope]
    with pytest.raises(EnclaveRefusal) as caught:
        authorizer.judge(batch, now=UnixSeconds(cast.now), authorizations=given)
    refusal = (caught.value.code, caught.value.operation_id)
    assert refusal == (RefusalCode.AUTHORIZATION_SUBJECT, batch.mints[1].mint_id)


async def test_authorizer__when_lines_name_several_authorization_keys__obtains_each(cast: Cast) -> None:
    newer = Authority(chain_id=31337)
    kms = SeveralKms({"0": cast.authority.plaintext(), "1": newer.plaintext()})
    authorization_keys = AuthorizationKeyCache(kms)
    held = [authority.authorization_keys().keys[0] for authority in (cast.authority, newer)]
    authorization_keys.use([evolve(key, wrapped=str(number).encode()) for number, key in enumerate(held)])
    authorizer = authorizer_over(authorization_keys, cast)
    batch, session = cast.batch(), cast.authority.session(now=cast.now)
    authorizations = required_authorizations(batch, cast.authorizations(batch))
    accepted = session.state(
        ACCEPTANCE, authorizations[2].digest, authorizations[2].subject.encode(), at=cast.now * 1000
    )
    given = [authorization.envelope for authorization in authorizations[:2]]
    given.append(
        newer.public_authorization_key.seal(cast.token(cast.user), authorizations[2].digest, accepted)
    )
    assert not authorizer.judge(batch, now=UnixSeconds(cast.now), authorizations=given)
    await authorizer.judge_later(batch, now=UnixSeconds(cast.now), authorizations=given)
    assert authorizer.judge(batch, now=UnixSeconds(cast.now), authorizations=given)


async def test_authorizer__when_a_batch_is_large__judges_it_later(cast: Cast) -> None:
    authorizer = await authorizer_of(cast)
    for size, at_once in ((AT_ONCE, True), (AT_ONCE + 1, False)):
        batch = cast.batch(size)
        authorizations = cast.authorizations(batch)
        judged = authorizer.judge(batch, now=UnixSeconds(cast.now), authorizations=authorizations)
        assert (judged is not None) is at_once
        await authorizer.judge_later(batch, now=UnixSeconds(cast.now), authorizations=authorizations)
