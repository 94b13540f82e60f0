"""Proofs for auditors: the signed checkpoint, that the log holds an event, and that it only grew since a checkpoint."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath, QueryParameter

from adapters.composition import Rollcall
from adapters.http.lookups import find_subscription
from adapters.http.problems import Invalid, responses
from adapters.http.reads import read
from adapters.http.requests import Injected
from adapters.http.security import READERS
from adapters.proofs import (
    ConsistencyDocument,
    InclusionDocument,
    checkpoint_size,
    consistency,
    inclusion,
    newest_checkpoint,
)

MOST_RECORDS = 10**15
"""A number that is exact as floating point, too, of which the OpenAPI document is made."""
AUDIT = "/subscriptions/{subscription_id:uuid}/audit"


@read(f"{AUDIT}/checkpoint", media_type="text/plain", responses=responses("not-found", "not-sealed"), opt=READERS)
def show_checkpoint(rollcall: Injected[Rollcall], subscription_id: FromPath[UUID]) -> Response[str]:
    """Show the newest signed checkpoint of the log.

    It is a signed note (c2sp.org/tlog-checkpoint), and says how many records the log has and what the root of the tree
    over them is. Check its signature with the public key that your operator gave you. The log and its tree hold the
    records of all subscriptions.
    """
    find_subscription(rollcall, subscription_id)
    return Response(newest_checkpoint(rollcall), headers={"Cache-Control": "no-store"})


@get(  # not `read`, which finds a parameter missing before it knows who asks
    f"{AUDIT}/proofs/inclusion", sync_to_thread=True, responses=responses("not-found", "not-sealed"), opt=READERS
)
def prove_inclusion(
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    stream: Annotated[UUID, QueryParameter(description="The `stream` of the event: an import's id, say.")],
    version: Annotated[
        int, QueryParameter(ge=1, le=MOST_RECORDS, description="The `version` of the event in its stream.")
    ],
    size: Annotated[
        int | None,
        QueryParameter(ge=1, le=MOST_RECORDS, description="The size of the checkpoint; by default of the newest."),
    ] = None,
) -> InclusionDocument:
    """Prove that the log holds an event of this subscription.

    An event is named by its stream and its version in it, as in the audit log; the stream of an import's history is the
    import. The proof is a Merkle audit path (RFC 6962, section 2.1.1) from the leaf to the root in the checkpoint of
    that size. The text of `TokenIssued` is withheld, and its commitment stands for it.
    """
    with rollcall.datastore.one_connection():
        find_subscription(rollcall, subscription_id)
        return inclusion(rollcall, subscription_id, stream, version, size or checkpoint_size(rollcall))


@get(f"{AUDIT}/proofs/consistency", sync_to_thread=True, responses=responses("not-found", "not-sealed"), opt=READERS)
def prove_consistency(
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    old: Annotated[
        int, QueryParameter(name="from", ge=1, le=MOST_RECORDS, description="The size of the earlier checkpoint.")
    ],
    new: Annotated[
        int | None,
        QueryParameter(
            name="to", ge=1, le=MOST_RECORDS, description="The size of the later one; by default of the newest."
        ),
    ] = None,
) -> ConsistencyDocument:
    """Prove that the log only grew from one checkpoint to another: nothing before was altered, removed or inserted.

    This is the Merkle consistency proof of RFC 6962, section 2.1.2.
    """
    with rollcall.datastore.one_connection():
        find_subscription(rollcall, subscription_id)
        size = new or checkpoint_size(rollcall)
        if old > size:
            raise Invalid(reason=f"“from” can't be more than “to”, which is {size}.", field="from")
        return consistency(rollcall, old, size)


ROUTES = (show_checkpoint, prove_inclusion, prove_consistency)
